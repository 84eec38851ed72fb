"""English words and what they ask for: data only, `lexicon.py` makes the look-up from it.

A `*` after a verb doubles its last consonant (drop* → dropped); `~` inflects the first word of a
phrase; `a|b` is a choice; `…` stands for up to four words; `<amount>`, `<name>`, `<sphere>` and
`<definite>` stand for such a word.
"""

from typing import Final

# Verbs by the kind of action they ask for.
VERBS: Final = {
    "delete": """
        delete erase remove wipe purge destroy eliminate obliterate annihilate eradicate
        expunge discard scrap* trash bin* junk toss ditch nuke zap* flush kill terminate shred
        drop* empty clear clean axe prune truncate void cancel uninstall unsubscribe
        deactivate overwrite reset redact vaporize vaporise incinerate demolish dismantle raze
        vanish unpublish burn banish deprovision decommission cull weed delist del* rm""",
    "send": """
        send resend email mail message text dm fax forward fwd reply respond contact notify
        inform alert warn ping* deliver dispatch transmit relay submit phone call reach cc bcc
        telephone answer escalate acknowledge advise apprise brief ship beam whatsapp slack
        telegram sms webhook""",
    "publish": """
        publish post tweet retweet broadcast announce blog* release upload syndicate circulate
        disclose leak reveal divulge expose advertise publicize publicise unveil livestream
        stream crosspost repost""",
    "transfer": """
        transfer move migrate relocate reassign convey cede bequeath transplant teleport""",
    "payment": """
        pay wire remit reimburse refund settle buy purchase order book charge bill invoice
        donate tip* deposit withdraw spend subscribe renew lend loan invest sell credit debit
        venmo paypal fund bet* bid* gamble repay prepay overpay compensate rent lease finance
        sponsor""",
    "export": "export download backup dump sync exfiltrate offload",
    "execute": """
        execute deploy install launch trigger invoke restart reboot shutdown run exec rollback
        provision rerun approve reject sign accept decline endorse ratify sideload compile
        sudo""",
    "configure_rights": """
        grant revoke share promote demote invite authorize authorise permit* allow entitle
        empower enrol enroll onboard whitelist blacklist allowlist ban* block unblock kick
        expel fire hire recruit dismiss evict deny impersonate integrate connect unlock
        delegate elevate unshare overrule bypass circumvent""",
    "query": """
        show explain describe tell display view read see know understand clarify define teach
        illustrate present open answer elaborate detail learn hear wonder specify translate
        recall state cite quote interpret recite consult conjugate spell* pronounce""",
    "search": """
        find search list lookup locate retrieve look fetch browse query google seek enumerate
        scan* filter identify spot* trace discover collect gather""",
    "summarize": """
        summarize summarise recap* condense outline synthesize synthesise digest abridge tldr
        paraphrase""",
    "analyze": """
        analyze analyse compare evaluate assess review check verify inspect examine
        investigate study audit diagnose estimate calculate compute count rank classify
        categorize categorise measure interpret critique proofread benchmark predict forecast
        assess highlight double-check reconcile test rate judge weigh contrast""",
    "create": """
        create write draft add compose note build generate prepare jot* record log* invent
        design start begin schedule plan* brainstorm suggest propose sketch save insert
        register import append attach plot* author formulate remind remember memorize file
        capture""",
    "update": """
        update rename edit change modify archive unarchive tag* label mark amend correct fix
        revise rewrite rephrase reword adjust complete finish pause resume reopen close
        resolve pin* unpin* postpone reschedule sort group merge split* replace restore undo
        undelete recover revert format convert shorten lengthen extend improve polish simplify
        reorder organize organise tidy link unlink assign prioritize prioritise star snooze
        duplicate copy clone trim* crop* bump fill tweak expand annotate comment number hide
        unhide reformat""",
    "configure": """
        configure use set enable disable switch activate customize customise mute unmute
        calibrate personalize personalise setup turn toggle""",
    # They may mean much; only the phrases tell. A command that no phrase explains stays in doubt.
    "doubtful": """
        give put bring leave pull lock spot place pick slip stick shove throw hand push pass
        carry lay grab swap trade drag haul strip slide sneak squeeze sling chuck lob""",
    # They say "carry it out" of the noun that follows: make a payment, confirm the order.
    "act": """
        do make perform process proceed initiate finalize finalise confirm validate arrange
        get have let help try handle effect request issue""",
    # Conversation: nothing is done by them.
    "chat": """
        think consider hope wait talk speak say believe agree play meet visit travel cook eat
        sleep live discuss chat* laugh relax work care sing* joke guess repeat""",
    # Known and neither: they keep the spelling check and the net for unknown verbs quiet.
    "": """
        go come need want like love forget hesitate happen mean seem keep take stay become
        feel thank ignore forget pretend stop avoid refrain cease bother dare expire fail
        succeed bounce vanish arrive depend contain belong include require cost matter apply
        involve affect""",
}

PAST: Final = """
    bid:bid send:sent resend:resent pay:paid repay:repaid prepay:prepaid sell:sold buy:bought
    bet:bet lend:lent spend:spent withdraw:withdrew,withdrawn shut:shut burn:burnt,burned
    run:ran,run rerun:reran find:found show:shown,showed tell:told know:known,knew see:seen,saw
    read:read understand:understood think:thought write:written,wrote rewrite:rewrote,rewritten
    make:made do:done,did get:got,gotten have:had let:let set:set cut:cut split:split
    give:gave,given put:put take:took,taken bring:brought go:gone,went come:came
    throw:threw,thrown keep:kept leave:left say:said begin:began,begun hear:heard teach:taught
    seek:sought forget:forgot,forgotten hide:hid,hidden undo:undone,undid hand:handed
    turn:turned blow:blew,blown drop:dropped mean:meant feel:felt speak:spoke,spoken meet:met
    eat:ate,eaten sleep:slept build:built"""

# Verbs whose base form is an everyday noun or adjective as well.
NOUN_TOO: Final = """
    trash bin junk drop empty clear clean void reset burn email mail message text fax dm call
    reply contact alert ping phone post tweet broadcast blog release stream upload transfer
    move wire bid order book charge bill invoice tip deposit fund bet credit debit loan rent lease
    refund purchase export download backup dump sync launch trigger run sign share invite
    permit block ban fire grant purge wipe kill show search list look query recap outline
    digest review study audit test rank estimate benchmark draft note build record log design
    start plan sketch file update change tag label mark fix pause sort group merge split copy
    clone link star comment number set switch try request process finance brief open check
    answer reach slack telegram webhook sms whatsapp register rate count highlight work use
    play talk travel cost matter ship exec shutdown deny install rollback deploy settle
    webhook"""

# Nouns that are the action itself: "make a payment" asks for one.
NOUNS: Final = {
    "delete": """
        deletion deletions removal removals erasure purge wipe destruction cancellation""",
    "send": "sending dispatch mailing mailshot",
    "publish": "publication publishing release announcement",
    "transfer": "transfer transfers migration handover relocation",
    "payment": """
        payment payments wire refund refunds reimbursement reimbursements purchase purchases
        order orders donation donations deposit withdrawal transaction transactions remittance
        invoice invoices subscription bill bills money cash loan prepayment""",
    "export": """
        export exports backup backups dump download downloads extraction csv zip xlsx excel
        spreadsheet""",
    "execute": """
        deployment deployments execution rollout rollback reboot restart installation""",
    "configure_rights": """
        permission permissions access role roles admin admins administrator administrators
        owner owners ownership privilege privileges rights right moderator superuser root
        password passwords credential credentials passphrase visibility invitation invitations
        delegation collaborator collaborators editor editors sudo 2fa mfa checkpoint
        checkpoints approval approvals governance secret secrets""",
}

# What one asks to be told; after an action's noun they make it a subject ("the payment report").
READING_NOUNS: Final = {
    "summarize": "summary summaries overview recap digest tldr synopsis gist",
    "analyze": """
        analysis analyses comparison evaluation assessment breakdown statistics stats""",
    "search": "list lists listing inventory",
    "query": """
        explanation description details info information status number count total reason
        reasons difference meaning definition answer question questions idea opinion advice""",
    "": """
        report reports history log logs record records rule rules policy policies article
        articles amount amounts date dates time times guide documentation docs manual
        instructions steps procedure procedures fee fees cost costs limit limits button
        feature controls state timeline receipt receipts form forms deadline error errors page
        method methods schedule notes template templates terms settings confirmation
        confirmations flow event events management model architecture system systems strategy
        plan theory volume trends figures""",
}

# Function words, by the part they play.
WORDS: Final = {
    "definite": """
        the my this that these those his her our its their your all every everything both each
        any everybody everyone anything whole entire""",
    "indefinite": "a an some several many few another one two three more no which",
    "prep": """
        of in at by from with for into onto over under between within during through since
        than per via as like off out up down away back""",
    "about": """
        about regarding concerning re on titled entitled called named saying explaining""",
    "to": "to",
    "subject": """
        i we he she they it someone somebody nobody people users one anyone who whoever""",
    "you": "you ya yourself",
    "object": """
        it them him me us her itself themselves self myself himself herself ourselves""",
    "be": "is are was were am been being be gets",
    "have": "has have had having",
    "do": "does did",
    "modal": "can could will would may might cannot",
    "oblige": "must should shall needs ought",
    "wh": "what who whom whose which where why how whether",
    "sub": """
        if when while once because since unless until till after before although though
        whenever as that so provided""",
    "and": "and then plus also afterwards afterward next & +",
    "or": "or nor / either",
    "but": "but however yet otherwise else instead only rather",
    "soft": """
        please kindly hey hi hello ok okay well nova just now quickly simply finally first
        firstly secondly second lastly immediately asap urgently dear thanks thank yes yeah
        yep sure alright right actually really again definitely also so oh ah um good morning
        evening afternoon everyone today tonight tomorrow maybe perhaps permanently safely
        automatically properly completely entirely cleanly directly anyway fine great never
        mind look listen lol honestly frankly quite rather basically and urgent question quick
        yo sir madam bot assistant here""",
    "thing": """
        thread threads message messages note notes file files folder folders document
        documents task tasks account accounts data dataspace dataspaces sphere spheres project
        projects contact contacts record records post posts page pages item items email emails
        mail mails stuff things draft drafts comment comments photo photos picture pictures
        event events meeting meetings participant participants member members team group
        channel workspace database table row rows history conversation conversations chat
        chats recording recordings history backup snapshot snapshots attachment attachments
        article articles contract contracts artifact artifacts habit habits playlist playlists
        manuscript reference references client clients customer customers duplicate duplicates
        lawyer boss meeting minutes budget euro euros dollar dollars pound pounds month week
        year day name language mode dark light system server script code job jobs payroll
        salary phrase remote version versions video videos executor executors publisher
        publishers player players retry retries addresses remotes prompt prompts prompted
        prompting parent parents sharding depleted wedding car expert experts related public""",
    "negative": "not never no none nothing neither without nor nobody",
}
