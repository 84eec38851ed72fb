"""English phrases and what they ask for: data only, `lexicon.py` says how they are written."""

from typing import Final

# Phrases that are an action. The first word carries the form.
IDIOMS: Final = {
    "delete": """
        ~get rid of; ~throw … away|out|trash|bin|garbage; ~throw away|out; ~blow … away; ~put
        … trash|bin|garbage|recycle; ~make … disappear|vanish|gone; ~take … down|offline;
        ~take down; ~dispose of; ~do away with; ~clear … out; ~wipe … out|off; ~strike …
        from|off; ~cross … off; ~scrub … from; ~close … account|accounts; ~send … trash|bin;
        ~move … trash|bin|garbage; ~free up; ~blow up; do not
        keep|retain|leave|save|store|preserve; not keep any; ~want … gone|out; no longer
        need|want|needed|wanted; be gone; ~like … gone; ~set … fire; rm -rf; drop
        table|database|schema; 🗑 <definite>; ~format … disk|drive|server|volume; ~reduce …
        zero; ~lose <definite>; ~cut <definite>; ~leave no trace; ~stop keeping; do not
        need|want … anymore|more|longer; ~tear|rip up|apart; make|setup
        a|an|another thread|task|project|folder|note … disappear|vanish|gone|go; i|we would rather
        not
        keep|retain|leave|save|store; am|is|are not going to keep|retain|leave|save|store; ~undo …
        existence; good riddance; ~opt out; gone;
        have|has got to go; ~lose the; never want|wish; ~strike the|this|that|my|our""",
    "send": """
        ~get back to; ~drop … line|note|message|mail|email; ~let <name> know; ~let
        the|my|our|all|everyone|everybody|him|her|them … know; ~reach out; ~follow up with;
        ~write to; ~write <person>; ~write him|her|them|back; ~write … to <name>; ~write …
        letter|email|mail|message|reply to; ~tell <name>; ~tell
        him|her|them|my|our|the|everyone|everybody|all; ~ask <name>; ~ask
        him|her|them|my|our|the|everyone|everybody; ~remind <name>; ~remind
        him|her|them|my|our|the|everyone|everybody|all; ~shoot …
        email|mail|message|text|note|line|reminder; ~give … call|ring|heads; ~keep …
        posted|informed|loop; ~put … copy|cc; ~loop … in; ~pass … along|on; ~pass on; ~hand …
        in; ~get … to <name>; ~show … to <name>; ~show <name> the|my; ~leave …
        message|voicemail; ~talk to <name>; ~speak to|with <name>; ~thank <name>; ~congratulate
        <name>; ~bring … to <name>; ~touch base; ~apologize to; ~apologise to; ~say … to <name>;
        ~break … news; 📧 <definite>; 📤 <definite>; ~give <name> the|my|our|this|that|a;
        ~introduce … to; ~draft and send; ~chase up; ~chase <name>; ~nudge <name>; curl -x post;
        ~put … in touch; ~report … to <name>; ~pass <name>; ~post … endpoint|webhook|api; ~hit …
        up; ~fire off; ~fire … over|off; ~schedule|queue|program …
        email|mail|message|post|newsletter|tweet; ~confirm to; make|makes|making sure <name>
        gets|has|receives|knows|hears|sees|learns; make|making sure …
        gets|receives|knows|hears|learns; ensure … gets|receives|knows|hears|learns; ~file|lodge
        … complaint|application|claim|lawsuit|petition|appeal|return|taxes|paperwork; ~copy
        <person> in|on|into; ~copy him|her|them|everyone|everybody in|on; i|we want|need|like
        <name> to get|receive|have|know|hear|learn; ~convey … regards|apologies; ~give …
        regards|apologies|update; message|mail|email|contact|text|phone|call|ping <person>;
        should|must get|receive|hear this|it|the|my|our; ~report it|this|that|them|him|her to;
        ~report the|this|that|a|an|my|our … to; ~post|mail … letter|parcel|package""",
    "publish": """
        ~make … public|visible|available|live; ~go live; ~go public; ~put … online|live; ~put
        up; ~put out; ~bring … live; ~get … online|live|out there; ~get the word out; ~spread …
        word|news; ~roll … out; ~set … live|public; ~take … live|public; ~make it known; ~let
        the world; ~let the world see|read|know; ~share …
        publicly|online|linkedin|twitter|facebook; ~open … to everyone|public|world|all; ~tell
        the world; ~get|put|push … out there|on; ~put … up on; i|we want|need the world|public;
        ~upload … youtube|website|blog|tiktok|instagram; ~push … live; ~get …
        newsletter|announcement|article|release|news|story out; i|we want|need … out
        there|online|live|public; make|setup a|an|another thread|task|project|folder|note …
        public|visible|available|live|shared|accessible|readable|open|online""",
    "transfer": """
        ~hand … over; ~hand over; ~turn … over to; ~sign … over; ~give … to <name>; ~bring …
        into|to … <sphere>; ~put … in|into|under … <sphere>; ~copy … to|into … <sphere>; ~push
        … to|into … <sphere>; ~send … to … <sphere>; ~shift … to|into; ~take … to|into …
        <sphere>; ~carry … over; ~merge … into … <sphere>; ~pass … to … <sphere>; ~change …
        sphere; ~change … owner|ownership""",
    "payment": """
        <amount> to|for|towards <name>; ~give|hand|slip|lend|loan|owe|get … <amount>;
        ~send|transfer|move|forward|shoot|put|wire … <amount>; ~top … up; ~top up; ~cough up;
        ~fork out|over; ~pick up the tab|bill; ~put … on my|the card|tab|account; ~cover …
        bill|cost|costs|rent|tab|invoice|fee; ~send … money|cash|funds; ~cash out; ~foot the
        bill; ~shell out; ~chip in; ~pay back|off|up|down; ~check out with; ~take care of …
        bill|invoice|rent|payment; ~square up; 💸 <amount>|<name>; ~clear …
        invoice|bill|debt|balance; ~sign … up for; ~place … order|bet|bid; ~make … payable;
        ~spot <name>; get|grab|call me|us a|an|another|two|three|four|some
        taxi|cab|uber|ride|ticket|tickets|seat|seats|pizza|flight|flights; ~release …
        funds|money; ~put down; ~hit … with a bill""",
    "export": """
        ~back … up; ~back up; ~save … as pdf|csv|json|xlsx|excel; ~copy …
        usb|disk|drive|outside; ~save … to|on|onto
        dropbox|drive|disk|usb|cloud|s3|desktop|computer|laptop; ~take … out of; ~pull … out
        of; ~get … out of; ~upload … to; ~extract … to|into|from … database; ~print … out;
        ~burn … cd|dvd; ~write … csv|disk|usb; ~archive … s3|bucket|disk|dropbox|drive;
        ~want|like a|my|the copy|data of|from; ~save … as a|an
        pdf|csv|json|excel|word|spreadsheet|zip|file; give|get|make|prepare|fetch me|us a|an|another
        backup|dump|export|zip|csv|download; give|get|make|prepare|fetch me|us a|an
        full|complete|whole
        backup|dump|export|zip|csv|download|copy""",
    "execute": """
        ~go ahead; ~go for it; do it; ~make it so; make it happen; just do it; ~carry … out;
        ~carry out; ~go through with; ~push … prod|production|live|main|master; ~put … in|into
        prod|production; ~ship it; ~ship to; ~roll out; ~roll back; ~start|stop|kill|launch …
        server|service|job|deployment|pipeline|campaign|script|process; ~shut … down; ~turn …
        server|machine|service; ~call … api|webhook|endpoint|function; ~hit … endpoint|api;
        ~apply … patch|migration|fix; ~merge … pr|branch|pull; ~sign off; ~do the same; ~repeat
        … action|that; ~take care of it|this|that|them|these|those|everything; ~sort|set
        it|this|that|them out|up; proceed; git push; git reset; curl; wget; bash; powershell;
        insert into; delete from; update … set; eval; exec; os.system; ~fire … up; ~close …
        deal; ~kick … off; ~kick off; ~fire up; ~spin … up; ~spin up""",
    "configure_rights": """
        ~let my|our|the … identity see|view|read|use|access; ~let … identity …
        see|view|read|use|access; do not share … anymore|more|longer; do not share … with|to …
        anymore|more|longer; ~give|grant|hand|get|offer|assign …
        access|permission|permissions|rights|admin|role|key|keys; ~make …
        admin|administrator|owner|editor|moderator|member|private|collaborator; ~let <name>
        see|view|read|edit|write|in|into|join|use|manage|access|approve|vote; ~let
        everyone|everybody|anyone|them|him|her in|into; ~let
        everyone|everybody|anyone|people|them|him|her|my|our|the …
        see|view|read|edit|join|access|use; ~add <person> to|as|into; ~add <name> to|into
        the|my|this|our
        thread|team|group|workspace|channel|project|conversation|meeting|sphere|chat; ~add … as
        owner|admin|an|a member|editor|participant|collaborator; ~add …
        user|member|participant|guest|collaborator|person to; ~let … into; ~kick … out; ~take …
        off the; ~open … up to; ~open up … to; ~open … to the|my|our|all;
        should|must|may|shall|can no longer see|read|view|edit|access|join|enter|post|use; ~cut
        … off; i|we want|need|like my|our|the|him|her|them|everyone|everybody|anyone|people … to
        see|read|view|edit|access|join|use|approve; ~turn … off|on
        approval|approvals|checkpoint|checkpoints|2fa|security|audit|governance|authentication;
        ~turn off|on …
        approval|approvals|checkpoint|checkpoints|2fa|security|audit|governance|authentication;
        ~skip|bypass|override|disable|drop|ignore|suspend|lift|waive|stop|end|enable|circumvent
        …
        freeze|freezes|approval|approvals|checkpoint|checkpoints|confirmation|governance|rule|rules|review|audit|safety|guardrails|restrictions|security|policy|policies|limits|logging|protection;
        ~ignore|disregard|forget|override …
        instructions|prompt|guidelines|constraints|everything; without
        approval|confirmation|asking|permission|checkpoint|review|confirming; no
        approval|confirmation|checkpoint; ~change … password|role|rights|access|owner; ~set …
        private|visibility|role; ~log … in as; ~sign … out; ~leave the thread|group|team; ~hook
        … up; ~link … account|bank|gmail|slack; ~reset … password;
        ~lower|raise|increase|extend|lift … limit|limits|budget|cap|ceiling|quota; ~unfreeze
        <definite>; with access|rights|permissions for <name>; with <name> as
        owner|editor|admin; make|setup a|an|another thread|task|project|folder|note …
        private|hidden|secret|readonly|editable|writable; should be
        able|allowed|permitted|entitled; do|does not need|require my|our
        approval|permission|confirmation|consent|ok|okay|authorization|authorisation;
        ~add|save|store|link my|our|a|the card|iban|bank|wallet; ~remove <person> from; ~add
        <name> as; i|we want|need <name> to
        see|view|read|edit|access|join|use|approve|manage|be; i|we would like <name> to
        see|view|read|edit|access|join|use|approve|manage|be; ~lock … out; ~take away; ~shut …
        out; only <name> may|can|should|must|shall; ~make … read only; ~make …
        readonly|writable|editable|accessible|hidden|secret|shared|collaborative; ~turn off|on …
        safety|checks|protections|safeguards|guards|filters|notifications; should|must|may|shall
        not see|read|view|edit|access|join|enter; should|must|shall not be able; from
        today|now|tomorrow|monday … owner|admin|editor|access|allowed""",
    "send_noun": """
        email|message|mail|note|text|letter|word|line|reply|reminder to <name>; word|note to
        the|my|our""",
    "export_noun": """
        to|onto|on my|a|the laptop|computer|desktop|phone|usb|disk|dropbox|stick; copy of
        all|my; all my data""",
    "delete_noun": "can|may go|disappear|vanish <end>",
    "configure_noun": "api|access|secret|ssh|private key|keys|token|tokens",
    "publish_noun": "visible|public|accessible|open to|for|by everyone|all|anyone|everybody|the",
}

# Phrases that set how the words after them are meant; `moods.py` tells the moods.
MOODS: Final = {
    "request": """
        can|could|would|will you; can|could|would|will not you; do not you; do you mind; would
        you mind; you can|could|may|might|should|must|will|would|need|ought|shall|better; you
        are to; you have to; you had better; i want|need|wish|require|demand|expect; i
        prefer|request|insist|order|beg|urge|instruct|suggest|recommend|propose|trust|hope; i
        would like|love|prefer|appreciate|rather|want|need; we would like|love|prefer|rather; we
        want|need|must|should|have; take care of; is time we|you; high time; would be
        great|nice|good|lovely|helpful|wonderful|super; be grateful|so kind|thankful; let us;
        feel free; make sure|certain; see|attend to the|my|our|this|that|all; be sure; see to
        it; ensure; time to|for; have|has|had|need|got to; how about|abt; what about; what if
        you|we; why not; why do not you|we; any chance; is there any chance|way you; would it be
        possible|ok|okay|fine|alright; would it be; could it be; if you could|would|can; i
        wonder if|whether you; wondering if|whether you; shall|could we; are you able; do you
        think you; it would be; do not forget|hesitate|fail|omit|neglect; do not
        wait|delay|miss|just|only|merely|simply|not; remember to; help me; i authorize; you have
        my; want|like you to; am going|about to; i will|shall|must|should; we will|shall;
        can|could someone|somebody|anyone|anybody|nova|the|this|that|it|these|those|my; want to;
        is it possible for you; do you want to; be done; are you going; mind if you; for you to;
        i ask; is|are|was|were to be; can|could everyone|everybody|all; could|would <name>
        get|have|receive|obtain; can <person> get|have|receive|obtain; can|could|may i
        have|ask|trouble|bother; can|could|may i get a|an|the|my|this|that|it""",
    "ask_verb": """
        how to; when to; where to; what to; whether to; which to;
        how|what|when|where|why|who|which
        do|does|did|can|could|should|would|will|may|might|must; how|what|when|where|why
        can|could|will|would|do you; what is the way to; what if i|he|she|they|someone|it;
        happens|happen when|if i|you|we|one|they|someone; the ability|right|option|possibility
        to; difference between""",
    "ask_generic": "is it possible to; can we",
    "ask": """
        any idea|clue; i am curious|wondering; i do not know|understand|get; what
        happens|happened|is|are|was|were|has|have|had; how many|much; how
        come|is|are|was|were|long|often|far|old|has|have; who|what|which|whose|whom;
        where|when|why is|are|was|were|has|have|had; just curious; out of curiosity; why; i
        wonder""",
    "read:query": """
        tell|give|get|bring|show|fetch|hand|read me|us; let me|us know|see|understand; walk
        me; teach me; help me understand|find|see; answer my|the|this|these|following|a
        question|questions; share your|some thoughts|ideas|opinion; talk me|to me; tell
        whether|if; keep me posted|informed|updated; can i know; send help; i have a question;
        ask you; order … by date|name|time; find out; remind me|us; inform|advise|brief|update
        me|us; i need help|advice|information|info|more|some""",
    "read:search": """
        look for|up|through|into|at; run|do|perform|make|launch|start a|another search; pull
        up; go through; search for""",
    "read:analyze": """
        run|do|perform|make a|an|another …
        analysis|comparison|check|review|estimate|audit|test; have|take a look; check
        whether|if|that; verify whether|if|that; make sense of; point out; confirm
        whether|if|that; go over; think about|of|through; consider the|whether|if""",
    "read:summarize": "sum up; boil down; run|do|make|give … summary|recap|overview; tl dr",
    "work:create": """
        open a|another; put together; come up with; take a|some note|notes; write down; new
        thread|note; draft; make|setup a|an|another thread|task|project|folder|note;
        put|leave a|an|another|the note|comment|remark|line in|on|under; i|we want|need
        a|an|another thread|task|project|folder|note|plan|draft;
        i|we want|need a|an new thread|task|project|folder|note;
        set up a|an|another|the thread|task|project|folder|list|note; write a|an
        post|article|blog|comment|text|poem|story; make a|an
        list|checklist|guide|table|note|plan|draft|outline|sketch|chart|copy|new""",
    "work:configure": """
        change|set|switch|update|adjust|put …
        language|theme|timezone|notifications|settings|preferences|currency|layout|mode""",
    "work:update": """
        move …
        meeting|deadline|appointment|date|call|standup|due|reminder|paragraph|section|task;
        clean|clear up … text|wording|grammar|formatting|style|sentence|paragraph; set …
        status|due|date|priority|title|name|tags; push …
        meeting|deadline|appointment|date|call|back; order|sort … by; sort|order
        the|my|these|this|all … by; cancel … reminder|timer|alarm; stop the run|timer; clear up;
        book mark; give … title|name|tag|label|description; put …
        tag|label|date|title|calendar|agenda|order; put … hold; put|move … archive|archives;
        make …
        shorter|longer|clearer|simpler|better|nicer|tighter|friendlier|bigger|smaller|bold|formal""",
    "forbid": """
        do|does|did|should|must|would|can|could|may|shall|will not; never; not to; am|is|are not
        going|about to; i|we would rather not; i forbid you to; no need to; hold off on; wait
        before; do not have to; not have to; do not you dare; under no circumstances; refuse to;
        need not; do not ever; do not want|need|wish you to; you
        must|should|can|may|will|shall|need|ought not; you are not to|allowed|supposed""",
    "forbid_noun": "without; avoid; refrain from; instead of; rather than; no more; no; against",
    "forbid_wish": "do not want|wish|need|like; would not like|want",
    "note:create": """
        remind me to; add|create|set|make|write a|an task|reminder|todo|note|memo to;
        reminder|task|todo|memo to; note|record|mention|remember that; make|take a|the note that;
        set a reminder; remind
        me … to; add|create|set|make|write a|an
        task|reminder|todo|note|memo|habit|goal|list|checklist|item|event <end>; note to self;
        jot|note|write down <end>; new|another note|task|reminder|todo|memo <end>;
        note|record|mention|log in|on|under … that;
        add|append that""",
    "name": "called|named|titled|entitled; as|to <quoted>; tagged|labelled|labeled|marked",
    "condition": "as soon as; in case; once",
    "head:ask": """
        has|had|is|are|was|were|am; have … been; have you|we|they|i|he|she; do you
        know|remember|think|have|recall; would|will deleting|removing|sending|it""",
    "head:ask_verb": """
        should|must|may|might i; can|could i; do|did|does
        i|we|you|they|he|she|it|anyone|people; does|did; will|would; should; am i
        allowed|supposed|able|permitted to; is it
        ok|okay|safe|wise|dangerous|risky|necessary|allowed|legal|normal|bad|better to; is
        there a|any|some way|option|possibility|method|means|shortcut to; can|could
        a|an|users|people|admins|guests|members|agents|i; do i have|need|want to; do <plural>""",
    "soft": """
        take care; take it easy; take your time; give it a try; give it some thought; put
        simply; never mind; no problem; of course; such a; in order; as soon as possible; right
        away;
        right now; if you please; by the way; thank you; thanks a lot; too many|much""",
    "noun_verb": """
        ways|way|steps|procedure|instructions|method|permission|right|ability|option|request|decision|plan|proposal|intention|wish|attempt|promise|refusal|deadline|asked|wants|wanted|decided|refused|promised
        to""",
}

# Words of somebody who talks the reader out of its rules: nothing dangerous is excused beside them.
TAMPERING: Final = """
    only|just|merely|simply|purely a|an question|hypothetical|test|drill|joke|example|simulation;
    you are now; pretend; act as|like; developer|maintenance|debug|god|admin|root mode; jailbreak;
    system prompt|message|override; hypothetically; already|pre approved; i am your|the
    admin|administrator|developer|owner|creator; as admin|root|administrator; this|it is not a|an
    action|request|command|instruction|order; not a command|request|action; treat this as;
    classify this as; requires_checkpoint; do as told; no questions asked; new instructions; from
    now on; your rules|instructions|guidelines|limits"""

# They turn a prohibition into a condition: do not send it before Monday.
SPOILERS: Final = "until till unless before except without other besides apart than excluding"
# They do so only in the same clause: do not send only the draft.
WEAK_SPOILERS: Final = "but only just merely simply first"
CURRENCIES: Final = "dollar dollars usd buck bucks quid pound pounds gbp cent cents chf cad grand"

URGENCY: Final = {
    "critical": "emergency|critical|immediately|asap|life threatening|right now|at once|sos",
    "high": (
        "urgent|urgently|quickly|important|today|tonight|priority|soon as possible|hurry|fast"
    ),
    "low": ("whenever|no rush|no hurry|when you can|low priority|eventually|some day|not urgent"),
    "background": "in the background|background|overnight|in your spare time|as a background job",
}
