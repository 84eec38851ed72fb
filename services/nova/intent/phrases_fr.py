"""French phrases and what they ask for: data only, `lexicon.py` says how they are written."""

from typing import Final

# Phrases that are an action. The first word carries the form.
IDIOMS: Final = {
    "delete": """
        ~mettre … corbeille|poubelle|rebut|panier|ordures; ~passer … trappe|broyeuse; ~faire
        disparaitre|sauter|degager; ~faire … menage|vide|disparaitre; ~debarrasser;
        ~foutre|ficher|jeter|balancer … poubelle|corbeille|air|loin;
        disparaisse|disparaissent; fous|fout|foutez|foutre … poubelle|corbeille|air; ~tirer …
        trait; ~separer de; ~envoyer … corbeille|poubelle; ~deplacer … corbeille|poubelle;
        ~faire table rase; plus besoin de|du|d|des; plus utile|necessaire|utiles; ~ne garder;
        ne|n garde|gardez|conserve|conservez|garder|laisse|laissez pas|plus|rien;
        ~fermer|cloturer … compte; ~formater … disque|serveur; veux plus; ~finir avec; ~rendre
        introuvable; 🗑 <definite>; ~remettre … zero; ~faire … propre|nettoyage; ~sucrer
        <definite>; ne|n garde|gardez|garder|conserve|conservez|conserver|laisse|laissez
        aucun|aucune; est|sont a supprimer|effacer|jeter|detruire|enlever|retirer""",
    "send": """
        ~ecrire a|au|aux|lui|leur; ~ecrire … mail|lettre|message|courriel|email|mot
        a|au|aux|pour; ~ecrire <person>; ~faire … suivre|parvenir; ~mettre … copie; ~dire a
        <name>; dis|dites|dire lui|leur; lui|leur dire|ecrire|repondre|demander; ~dire a|au|aux
        mon|ma|mes|la|l|notre|nos|tous|tout|toute|son; ~dire au|aux; ~demander a|au|aux;
        demande|demandez|demander lui|leur; ~tenir … courant|informe; ~passer …
        coup|appel|mot|message; ~laisser … message|mot; ~donner … nouvelles; ~rappeler <name>;
        ~rappeler a|au|aux|lui|leur; ~rappeler mon|ma|mes|le|la|les|notre; ~mettre …
        relation|boucle; ~annoncer a; ~montrer a|au|aux <name>; ~confier … a; ~donner … reponse;
        ~parler a; ~presenter … a <name>; ~remettre … a|au|aux; 📧 <definite>; 📤 <definite>;
        ~montrer … a|au|aux <name>; ~rendre … a; ~deposer … plainte|dossier|demande; ~prendre
        contact; ~reprendre contact; ~passer le mot; ~passer … mot; ~faire
        suivre|parvenir|passer|savoir; ~dire … a <name>; ~programmer|planifier …
        mail|message|email|courriel|envoi|publication; ~confirmer a|au|aux; ~presenter …
        excuses|condoleances|felicitations|voeux; ~souhaiter … a|au|aux <name>;
        recoive|recoivent; sache|sachent; de ma|notre part; ~confirmer|signaler|verifier|excuser
        … aupres; ~transferer … mail|email|courriel|message|sms; ~poster …
        lettre|courrier|colis; ~balancer … a|au <name>""",
    "publish": """
        ~mettre … ligne|live|avant; ~rendre …
        public|publique|publics|publiques|visible|accessible; ~rendre public|publique; ~faire …
        annonce|connaitre|publication; ~passer … public|publique; ~mettre …
        blog|site|linkedin|facebook|twitter|instagram|web|reseaux; ~ouvrir … public|tous|monde;
        ~sortir <definite>; ~faire … savoir; ~mettre au courant tout; ~faire paraitre;
        soit|soient en ligne; soit|soient public|publics|publique|publiques; ~balancer … sur;
        ~partager … reseaux|linkedin|facebook|publiquement|web""",
    "transfer": """
        ~passer … dans|vers|en|a|au|sur … <sphere>; ~mettre … dans|sous … <sphere>; ~copier …
        dans|vers … <sphere>; ~envoyer … vers|dans … <sphere>; ~ranger … dans … <sphere>;
        ~confier <definite>; ~changer … sphere|proprietaire; ~donner … a <name>; ~verser …
        dans|vers … <sphere>; ~glisser … dans … <sphere>; ~mettre … nom de; ~faire passer …
        <sphere>; ~fusionner|integrer … dans … <sphere>""",
    "payment": """
        <amount> a|au|pour|aux <name>; ~donner|filer|passer|preter|avancer|refiler … <amount>;
        file|filez|filer|refile|balance|glisse|lache … <amount>;
        ~envoyer|transferer|virer|verser … <amount>; ~passer … commande|ordre; ~faire …
        don|cheque|virement|paiement|achat|depot; ~mettre … argent|<amount>; ~envoyer …
        argent|sous|fric|thune|pognon; ~prendre … abonnement; ~prendre en charge; ~retirer
        <amount>; ~deposer <amount>; ~offrir|acheter; ~rendre … <amount>; 💸 <amount>|<name>;
        ~s abonner; ~tirer <amount>; ~debloquer … fonds|argent|<amount>; ~rendre …
        dois|argent; ~participer au|aux|a;
        ~prendre … billet|billets|ticket|tickets|taxi|places; ~recharger …
        carte|compte|forfait""",
    "export": """
        ~sauvegarder … disque|usb|cloud|externe|drive|dropbox|s3|ordinateur; ~faire …
        sauvegarde|export|dump; ~sortir … donnees|base|contacts|historique|fichier;
        ~enregistrer … pdf|csv|json|excel|bureau|disque|drive; ~copier …
        usb|disque|externe|drive|ordinateur; ~extraire … base|donnees|vers|csv; ~mettre …
        csv|pdf|excel|usb; ~recuperer … csv|json|excel|pdf; ~sauvegarder <definite>; ~charger
        … vers; ~convertir … csv|excel; ~archiver … disque|s3|cloud|dropbox|externe|drive""",
    "execute": """
        vas|allez y; fais|faites ca|cela; ~mettre … production|prod|service|route|marche;
        ~faire tourner|marcher|executer; ~demarrer|arreter|couper …
        serveur|service|tache|script|machine|job; ~appeler … api|webhook|endpoint|fonction;
        ~passer … prod|production; ~pousser … prod|production|main; ~donner … feu vert|accord;
        ~faire … mise jour; ~ouvrir … production; ~couper <definite>; ~mener … bien; ~passer a
        l acte; ~refaire <definite>; qu il en soit ainsi; ~mettre a execution; fais|faites le
        <end>; fais|faites le maintenant|vite|stp|svp|pour|tout|donc; fais|faites
        donc|juste|vite|bien|alors ca|cela|le""",
    "configure_rights": """
        ~laisser … identite lire|voir|consulter|acceder; ~laisser … identite …
        lire|voir|consulter|acceder; ne|n partage|partages|partager|partagez plus;
        arrete|arretez|arreter|cesse|cessez de me|nous demander|consulter|solliciter; pas besoin
        de mon|notre accord|approbation|autorisation|validation|feu; n as|avez pas besoin de
        mon|notre accord|approbation|autorisation|validation|feu; ~inscrire moi|nous; ~inscrire
        <person>; m|nous inscrire; ~augmenter|relever|monter|baisser|elever|abaisser …
        plafond|limite|limites|budget|quota; ~lever|degeler|terminer le|ce|mon gel;
        ~donner|attribuer|ouvrir|fournir|offrir|filer …
        acces|droit|droits|permission|permissions|role|cle|cles|admin; ~rendre …
        admin|administrateur|administratrice|proprietaire|prive|privee|editeur; ~passer …
        admin|administrateur|administratrice|proprietaire|editeur|moderateur|prive|privee;
        ~ajouter <name> a|au|aux|dans|comme|en; ~ajouter … comme|en tant; ~ajouter …
        utilisateur|membre|participant|collaborateur|invite; ~laisser <name>; ~laisser tout|tous
        voir|lire|entrer|modifier|acceder; ~faire entrer; ~mettre … admin|dehors|prive|public;
        ~changer … mot de passe|role|droits|acces|visibilite; ~reinitialiser … passe; ~mettre
        dehors;
        ~desactiver|activer|sauter|contourner|ignorer|couper|lever|suspendre|passer|enlever|oublier|outrepasser
        …
        approbation|approbations|checkpoint|checkpoints|validation|confirmation|controle|controles|regle|regles|securite|gouvernance|audit|garde|limites|restrictions|protection|verification|2fa;
        ~ignorer|oublier|outrepasser …
        instructions|consignes|directives|contraintes|limites|tout; sans
        approbation|confirmation|validation|autorisation|demander|permission|verification|checkpoint;
        ~prendre … controle; ~lier … compte; ~relier|brancher … compte|banque|gmail|slack|drive;
        ~integrer … gmail|slack|drive|module|banque|crm; ~quitter <definite>; ~nommer …
        administrateur|administratrice|proprietaire|admin|editeur|moderateur|responsable;
        je|nous veux|voudrais|souhaite|voulons que <name> puisse|ait|voie|accede|soit|lise; que
        <name> puisse|ait|voie|accede|lise; que|qu … puissent|puisse|accedent
        lire|voir|modifier|consulter|acceder|entrer; ~fermer … acces; ~augmenter|elever|etendre
        … droits|privileges|acces; ~retirer|enlever|virer|sortir <name> de|du|d|des; ~mettre …
        lecture; ~couper|desactiver|enlever|lever …
        securite|securites|protections|controles|filtres; seul|seule|seuls <name>;
        doit|doivent|devrait|devraient plus|pas voir|lire|acceder|modifier|entrer|avoir;
        partir|compter d|de …
        proprietaire|admin|administrateur|administratrice|acces|editeur|editrice; desormais …
        proprietaire|admin|administrateur|administratrice|acces|editeur|editrice""",
    "send_noun": """
        mail|message|email|courriel|mot|sms|texto|lettre|rappel a|au|aux <name>;
        mail|message|email|courriel|mot|sms|texto|lettre a|au|aux mon|ma|la|l|mes""",
    "export_noun": """
        sur mon|un|le|l|une|ma ordinateur|pc|disque|bureau|telephone|cle|portable|usb; en
        pdf|json|word; copie de toutes|mes|tout|tous; toutes mes donnees""",
    "delete_noun": """
        peut|peuvent partir|disparaitre|sauter|degager <end>; poubelle|corbeille <end>;
        poubelle|corbeille pour""",
    "configure_noun": "cle|cles|jeton|jetons d|api|ssh|privee|secrete",
    "publish_noun": "visible|public|publique|accessible de|a|pour|par tous|tout|le|la",
}

# Phrases that set how the words after them are meant; `moods.py` tells the moods.
MOODS: Final = {
    "request": """
        peux|peut|peus|pourrais|veux|voudrais|saurais|accepterais|pourras|penses|peu tu;
        pouvez|pourriez|voulez|voudriez|sauriez|accepteriez|pourrez|auriez vous; aurais tu; tu
        peux|peut|pourrais|pourras|dois|devrais|vas|voudras|voudrais|veux; vous
        pouvez|pourriez|pourrez|devez|devriez|allez|voudrez|voudriez|voulez; je
        veux|voudrais|souhaite|souhaiterais|desire|exige|ordonne|demande|prefere|compte|vais|dois|propose|suggere|t|te|vous|vs|voulais|tiens;
        j aimerais|exige|ordonne|apprecierais|espere|insiste|attends; il
        faut|faudrait|faudra|me|nous|serait|est; faut|faudrait; on
        va|devrait|doit|peut|veut|pourrait|y; nous
        voulons|voudrions|devons|aimerions|souhaitons; merci de|d|bien; priere de|d;
        veuillez|veuille|veux; serait il possible; possible de|d|que; ca|cela te|vous
        derangerait|embeterait|ennuierait|gene; ca|cela serait|ferait; n oublie|oubliez pas; ne
        manque|manquez|tarde|tardez|attends|attendez pas; n hesite|hesitez pas; pense|pensez a;
        pense|occupe|occupez|charge|chargez toi|vous|t; occupe|occupez; assure|assurez;
        fais|faites en|que; fais|faites moi; veille|veillez a; il est temps|l heure; et si
        tu|on|nous|vous; que|qu dirais|diriez|en; pourquoi ne pas; pourquoi pas; pourquoi
        tu|vous|on ne|n; pourquoi ne|n; ayez|aie l|la; auriez|aurais; si tu|vous
        pouvais|pouviez|pourrais|voulais|veux|peux|pouvez|voulez; demandais|demande si tu|vous;
        besoin de|d|que; envie de|d|que; prie de|d; prie|supplie|demande de|d; est ce que
        tu|vous|on; y a t il moyen; y aurait t il; moyen de; allons; autorise a; ne|n
        peux|pourrais|pouvez|pourriez|veux|voulez|voudrais tu|vous pas; ne
        pourrais|peux|veux|pourriez|pouvez|voulez tu|vous; devrait|doit etre; on peut; quand
        tu|vous peux|pourras|as|auras|pouvez|aurez; charge a toi; ne fais|faites pas que; ne te
        contente|contentez pas; pas seulement|juste|uniquement; es|etes|serais|seriez tu|vous
        capable|en|dispo|disponible|d; capable de|d; en mesure de|d""",
    "ask_verb": """
        comment; comment faire pour; puis je; dois|devrais|pourrais|peux je; est ce que
        je|il|elle|ils|elles|les|le|la; est ce que on doit|devrait; faut|faudrait|faudra il;
        faut t il; qui peut|peuvent|doit|pourrait|va|veut|a; quand faut|dois|doit|peut|puis|va;
        pourquoi; ou puis|peut|dois|faut; que se passe|passerait t il; que se passe|passerait;
        qu arrive|est t il; a quoi sert; comment ca|cela; ai je le droit de; j ai le droit de|d;
        on a le droit de|d; suis je autorise|oblige|cense a|de; quelle est la difference entre;
        difference entre; quelles sont les etapes pour; quel|quelle|quels|quelles; combien;
        lequel|laquelle; est il
        prudent|risque|necessaire|dangereux|utile|sage|interdit|obligatoire|permis|autorise|normal
        de|d; est ce prudent|risque|necessaire|dangereux|utile|grave|obligatoire|permis|normal
        de|d; est ce que
        supprimer|effacer|envoyer|publier|transferer|payer|exporter|archiver|partager; ce qui se
        passe|passerait; si je|il|elle|on|quelqu; de quoi ai je besoin; qu est ce qui|que|qu""",
    "ask_generic": """
        est il possible de|d; peut on; c est possible de|d; est ce possible de|d; est ce que
        on|l peut""",
    "ask": """
        est ce que; est ce; a t il|elle|on; ont ils|elles; as tu; avez vous; ai je; avons
        nous; est il|elle; sont ils|elles; etait il|elle; sais tu; savez vous; connais tu;
        connaissez vous; je ne sais|comprends pas; je me demande; j ignore; une idee de;
        te|vous souviens|souvenez; es tu; etes vous; qui est|sont|etait; que
        fait|font|contient|devient|signifie; quand
        est|a|ont|sera|aura|le|la|les|l|mon|ma|mes|un|une; ou est|sont|en|a; est t il; y a t
        il; t il|elle|ils|elles|on; combien de|d; depuis quand; c est quoi; c est qui; quid;
        quoi""",
    "read:query": """
        dis|dites moi|nous; donne|donnez moi|nous|m; montre|montrez moi|nous|m;
        explique|expliquez moi|nous|m; me|m|nous
        dire|montrer|expliquer|indiquer|donner|preciser|presenter|decrire|lire|detailler|parler|renseigner|eclairer|aider|apprendre;
        parle|parlez moi; fais|faites moi voir|savoir|comprendre|lire; tiens moi; tenez moi;
        reponds|repondez a ma|cette|la|mes; j ai une question; lis moi; lisez moi; traduis;
        poser une question; rappelle|rappelez moi|nous; donne|donnez ton|votre|ta
        avis|opinion|reponse; informe|informez moi|nous; j ai besoin d
        aide|information|informations|infos|explications""",
    "read:search": """
        ~faire une recherche; lance|lancer|lancez|fais|faire|effectue une recherche;
        jette|jeter|jetez un oeil|coup""",
    "read:analyze": """
        lance|lancer|lancez|fais|faire|effectue une|un
        analyse|comparaison|bilan|estimation|verification|audit|point;
        verifie|verifier|verifiez si|que|qu; confirme|confirmer|confirmez si|moi;
        reflechis|reflechir|reflechissez a|sur|au|aux""",
    "read:summarize": """
        fais|faire|faites … resume|synthese|recap|recapitulatif|point; en bref; fais|faites le
        point""",
    "work:create": """
        fais|faire|faites … liste|plan|note|tableau|brouillon|ebauche|copie|projet;
        prends|prenez|prendre|prend note|des; mets|mettre|mettez … rappel|note; nouveau|nouvelle
        fil|note|tache; il me|nous faut|faudrait|faudra un|une|des
        fil|note|tache|projet|dossier|liste|plan|brouillon; je|nous veux|voudrais|voulons un|une
        nouveau|nouvelle; je|nous veux|voudrais|voulons un|une
        fil|note|tache|projet|dossier|liste|plan|brouillon""",
    "work:update": """
        deplace|deplacer|deplacez|avance|avancer|avancez|repousse|decale …
        reunion|date|echeance|rendez|paragraphe|section|tache|rdv; mets|mettre|mettez …
        jour|gras|forme|ordre|pause; nettoie|nettoyer|nettoyez …
        texte|mise|style|phrase|paragraphe|orthographe; annule|annuler|annulez …
        rappel|minuteur|alarme|suppression; met|mets|mettre|mettez a jour; nomme|nommer|nommez
        le|la|ce|cette fil|note|dossier|projet|document|tache; mets|mettre|mettez …
        echeance|titre|priorite|statut|date|calendrier|agenda|etiquette; donne|donnez|donner …
        titre|nom|etiquette; mets|mettre|mettez|range|ranger|rangez|passe … archive|archives;
        rends|rendre|rendez … plus|moins; regle|regler|reglez …
        heure|volume|alarme|parametre|parametres|luminosite|fuseau|horloge|langue|theme|probleme|problemes""",
    "work:configure": """
        passe|passer|passez la|l langue|interface|affichage; ~mettre …
        langue|anglais|francais; active|activer|activez le|la mode; ~changer|modifier …
        langue|theme|fuseau|notifications|parametres|mode|devise|affichage""",
    "forbid": """
        evite|evitez|eviter de|d; interdit|interdiction de|d; pas besoin de|d; inutile de|d;
        hors de question de|d; surtout pas; pas la peine de|d; attends|attendez avant de|d;
        defense de|d; jamais""",
    "forbid_noun": "sans; au lieu de|d; plutot que de|d; pas de|d; aucun|aucune; surtout pas de|d",
    "soft": """
        s il te|vous plait; tout de suite; si possible; quand meme; merci d avance; je te|vous
        prie; bien sur; pas de probleme; laisse tomber; par exemple; en fait; du coup; au
        fait; des maintenant; sur le champ; prends ton temps""",
    "note:create": """
        rappelle|rappelez moi de|d; me rappeler de|d; rappel|tache|memo pour|de|d;
        note|noter|notez|ajoute|ajouter|ajoutez que|qu; note|noter|notez|consigne|consigner
        dans|sur|au|en … que|qu; nouveau|nouvelle note|tache|rappel|memo <end>;
        memo|rappel <end>; ajoute|cree|note|mets|ajouter|creer|ajoutez|creez une|un
        tache|rappel|memo pour|de|d; rappelle|rappelez moi … de|d;
        ajoute|cree|note|mets|ajouter|creer|ajoutez|creez une|un
        tache|rappel|memo|habitude|objectif|liste|note <end>; note pour moi""",
    "name": """
        fil|note|dossier|projet|document|tache|espace|groupe|playlist|discussion
        nomme|nommee|intitule|intitulee|appele|appelee|titre; en|comme <quoted>;
        etiquete|etiquetes|etiquetees|etiquetee|tague|tagues""",
    "condition": "des que|qu; une fois que|qu; au cas ou; aussitot que; tant que",
    "head:ask": """
        qui; y a; il y a; que
        se|fait|faire|faut|faudrait|dit|veut|signifie|contient|devient|peut|peuvent|dois|doit|puis|m|t|nous|vous|s|sais|penses|pensez|font|sont;
        qu est|a|ont|en|y""",
    "head:request": """
        que ce|cet|cette|ces|le|la|les|l|mon|ma|mes|tout|tous|toutes|on|tu|vous; qu
        on|il|elle|ils|elles""",
    "noun_verb": """
        facon|maniere|moyen|droit|procedure|etapes|methode|possibilite|intention|effet|risque|cout|but|demande|decision|projet|proposition|promesse|refus|promet|promis|decide|refuse|voulait
        de|d|pour""",
    "head:ask_verb": "vaut|vaudrait il mieux; est ce mieux|bien|utile de|d; vaut mieux",
    "report": "merci d|de avoir; merci pour",
}

# Words of somebody who talks the reader out of its rules: nothing dangerous is excused beside them.
TAMPERING: Final = """
    n est qu|que une; ceci est une simple|juste; c est juste|seulement une; simple question; juste
    une question; tu es maintenant|desormais; vous etes maintenant|desormais; fais|fait comme si;
    pretends|imagine que; mode maintenance|developpeur|admin|debug|root; deja
    approuve|valide|autorise|approuvee; en tant qu|que admin|administrateur|root; je suis
    ton|l|le|votre admin|administrateur|developpeur|createur; ce n est pas une; hypothetiquement;
    par hypothese; nouvelles instructions|consignes; a partir de maintenant; tes|vos
    regles|consignes|instructions|limites; a titre d exemple"""

# They turn a prohibition into a condition: do not send it before Monday.
SPOILERS: Final = "jusqu jusque tant avant sauf excepte hormis sinon moins hors"
# They do so only in the same clause: do not send only the draft.
WEAK_SPOILERS: Final = "seulement uniquement juste mais autre"
CURRENCIES: Final = "euro euros eur balle balles francs franc sous centimes"

URGENCY: Final = {
    "critical": "immediatement|urgence|critique|tout de suite|sur le champ",
    "high": ("urgent|vite|rapidement|important|aujourd'hui|ce soir|des que possible|prioritaire"),
    "low": ("quand tu peux|quand vous pouvez|pas urgent|rien ne presse|un de ces jours|plus tard"),
    "background": "en arriere plan|en tache de fond|cette nuit|pendant la nuit",
}
