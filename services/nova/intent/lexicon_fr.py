"""French words and what they ask for: data only, `lexicon.py` makes the look-up from it.

Accents are left out: words are compared without them. Verbs stand in the infinitive.
"""

from typing import Final

# Verbs by the kind of action they ask for.
VERBS: Final = {
    "delete": """
        supprimer effacer detruire eliminer enlever retirer oter jeter vider purger nettoyer
        bazarder balancer degager larguer zapper degommer aneantir eradiquer raser broyer
        ecraser desinstaller resilier annuler radier expurger evacuer liquider rayer biffer
        gommer exterminer pulveriser dissoudre desabonner flinguer bousiller cramer bruler
        deleter shooter demolir abolir retrancher escamoter disparaitre virer nuker flusher
        dezinguer abattre ejecter""",
    "send": """
        envoyer expedier transmettre mailer repondre contacter prevenir avertir informer
        notifier relancer appeler telephoner communiquer livrer soumettre renvoyer reexpedier
        texter pinguer alerter adresser aviser acheminer joindre convoquer solliciter
        remercier feliciter interpeller forwarder faxer distribuer signaler""",
    "publish": """
        publier poster diffuser annoncer tweeter divulguer devoiler reveler exposer propager
        ebruiter proclamer bloguer retweeter republier""",
    "transfer": """
        transferer deplacer migrer basculer ceder muter transposer rapatrier leguer demenager
        deporter transvaser reaffecter""",
    "payment": """
        payer regler verser rembourser acheter commander crediter debiter facturer acquitter
        depenser prelever souscrire louer reserver vendre miser investir cotiser solder
        casquer raquer abonner avancer preter honorer sponsoriser parier""",
    "export": """
        exporter telecharger dumper exfiltrer synchroniser backuper uploader televerser
        downloader imprimer""",
    "execute": """
        executer lancer deployer installer redemarrer declencher relancer invoquer rebooter
        eteindre signer approuver valider accepter refuser rejeter enteriner homologuer
        ratifier deployer""",
    "configure_rights": """
        partager revoquer octroyer accorder promouvoir retrograder inviter autoriser habiliter
        bannir exclure bloquer debloquer embaucher recruter licencier connecter deverrouiller
        deleguer permettre nommer expulser congedier contourner desactiver interconnecter""",
    "query": """
        montrer expliquer dire voir lire consulter savoir connaitre comprendre decrire
        presenter indiquer preciser detailler afficher enseigner eclairer raconter definir clarifier
        citer visualiser apprendre traduire demander conjuguer epeler prononcer""",
    "search": """
        chercher rechercher trouver lister retrouver reperer localiser fouiller enumerer
        recenser identifier recuperer filtrer parcourir regarder""",
    "summarize": "resumer synthetiser recapituler condenser",
    "analyze": """
        analyser comparer evaluer examiner verifier etudier reviser relire auditer
        diagnostiquer estimer calculer compter classer inspecter mesurer controler jauger
        denombrer surligner critiquer""",
    "create": """
        creer rediger ecrire ajouter noter generer preparer concevoir inventer elaborer
        composer enregistrer planifier imaginer proposer suggerer esquisser inserer importer
        commencer demarrer construire produire memoriser consigner ouvrir ebaucher inscrire
        debuter""",
    "update": """
        renommer modifier changer archiver desarchiver corriger completer etiqueter marquer
        reporter decaler reprendre fermer clore cloturer resoudre epingler trier grouper
        regrouper fusionner remplacer restaurer retablir formater convertir raccourcir
        allonger ameliorer simplifier reorganiser organiser ranger reformuler rectifier
        ajuster terminer finir suspendre rouvrir actualiser rafraichir prolonger etendre
        cocher assigner prioriser dupliquer copier taguer commenter deplier masquer lier
        augmenter reduire diviser traiter""",
    "configure": "configurer utiliser parametrer activer personnaliser choisir",
    # They may mean much; only the phrases tell. A command that no phrase explains stays in doubt.
    "doubtful": """
        mettre donner laisser passer rendre remettre tirer confier sortir deposer poser
        glisser placer porter participer renouveler coller fourrer troquer""",
    # They say "carry it out" of the noun that follows: faire un virement, confirmer la commande.
    "act": """
        faire effectuer realiser proceder operer programmer initier emettre ordonner confirmer
        finaliser amorcer entamer enclencher assurer accomplir""",
    # Conversation: nothing is done by them.
    "chat": """
        parler discuter jouer reflechir voyager manger dormir travailler penser croire
        attendre esperer songer aider bavarder rire chanter plaisanter repeter deviner""",
    # Known and neither: they keep the spelling check and the net for unknown verbs quiet.
    "": """
        aller venir pouvoir vouloir devoir aimer souhaiter desirer oublier hesiter manquer
        tarder prendre tenir rappeler garder conserver rester essayer arreter eviter cesser
        permuter fonctionner marcher contenir dependre signifier arriver exister couter
        deranger echouer reussir rater ignorer pretendre habiter concerner gerer servir
        ressembler appartenir impliquer falloir debarrasser occuper charger assurer veiller
        ouvrer sembler obtenir avoir etre""",
}

# verb: base forms | participles | gerund | stem of the future | other finite forms
IRREGULAR: Final = """
    mettre: mets met mettons mettez mette mettes mettiez | mis mise mises | mettant | mettr; dire:
    dis dit dites disons dise dises disiez | dit dite dits dites | disant | dir; lire: lis lit
    lisons lisez lise lises lisiez | lu lue lus lues | lisant | lir; ecrire: ecris ecrit ecrivons
    ecrivez ecrive ecrives ecriviez | ecrit ecrite ecrits ecrites | ecrivant | ecrir; decrire:
    decris decrit decrivons decrivez decrive | decrit decrite decrits | decrivant | decrir; faire:
    fais fait faites faisons fasse fasses fassiez | fait faite faits faites | faisant | fer; voir:
    vois voit voyons voyez voie voies | vu vue vus vues | voyant | verr; savoir: sais sait savons
    savez sache saches sachez | su sue | sachant | saur; tenir: tiens tient tenons tenez tienne
    tiennes | tenu tenue tenus | tenant | tiendr; venir: viens vient venons venez vienne viennes |
    venu venue venus | venant | viendr; prevenir: previens previent prevenons prevenez previenne
    previennes preveniez | prevenu prevenue prevenus | prevenant | previendr; obtenir: obtiens
    obtient obtenons obtenez obtienne | obtenu obtenue obtenus | obtenant | obtiendr; contenir:
    contiens contient contenons contenez | contenu contenue contenus | contenant | contiendr;
    prendre: prends prend prenons prenez prenne prennes | pris prise prises | prenant | prendr;
    apprendre: apprends apprend apprenons apprenez apprenne | appris apprise | apprenant |
    apprendr; comprendre: comprends comprend comprenons comprenez comprenne | compris comprise |
    comprenant | comprendr; reprendre: reprends reprend reprenons reprenez reprenne | repris
    reprise reprises | reprenant | reprendr; connaitre: connais connait connaissons connaissez
    connaisse | connu connue connus | connaissant | connaitr; aller: va vas allez allons aille
    ailles | alle allee alles allees | allant | ir; pouvoir: peux peut pouvons pouvez puisse
    puisses | pu | pouvant | pourr; vouloir: veux veut voulons voulez veuille veuilles veuillez |
    voulu voulue | voulant | voudr; devoir: dois doit devons devez doive | du due dus dues |
    devant | devr; clore: clos clot | clos close closes | closant | clor; exclure: exclus exclut
    excluons excluez exclue exclues | exclu exclus exclue | excluant | exclur; ouvrir: ouvre
    ouvres ouvrons ouvrez ouvriez | ouvert ouverte ouverts ouvertes | ouvrant | ouvrir; rouvrir:
    rouvre rouvres rouvrons rouvrez | rouvert rouverte | rouvrant | rouvrir; joindre: joins joint
    joignons joignez joigne joignes | joint jointe joints | joignant | joindr; dissoudre: dissous
    dissout dissolvons dissolvez dissolve | dissous dissoute | dissolvant | dissoudr; resoudre:
    resous resout resolvons resolvez resolve | resolu resolue resolus | resolvant | resoudr;
    promouvoir: promeus promeut promouvons promouvez promeuve promeuves | promu promue promus |
    promouvant | promouvr; envoyer: envoie envoies envoyons envoyez envoyiez envoi | envoye
    envoyee envoyes envoyees | envoyant | enverr; renvoyer: renvoie renvoies renvoyons renvoyez
    renvoyiez | renvoye renvoyee renvoyes | renvoyant | renverr; inscrire: inscris inscrit
    inscrivons inscrivez inscrive | inscrit inscrite inscrits | inscrivant | inscrir; souscrire:
    souscris souscrit souscrivons souscrivez souscrive | souscrit souscrite | souscrivant |
    souscrir; concevoir: concois concoit concevons concevez | concu concue concus | concevant |
    concevr; definir: definis definit definissons definissez | defini definie definis |
    definissant | definir; servir: sers sert servons servez serve | servi servie | servant |
    servir; dormir: dors dort dormons dormez | dormi | dormant | dormir; falloir: faut | fallu |
    fallant | faudr; avoir: ayez ayons aie aies | eu eue eus | ayant | aur; etre: sois soyez
    soyons soit soient | ete | etant | ser; detruire: detruis detruit detruisons detruisez
    detruise detruises detruisiez | detruit detruite detruits detruites | detruisant | detruir;
    construire: construis construit construisons construisez | construit construite | construisant
    | construir; produire: produis produit produisons produisez | produit produite produits |
    produisant | produir; traduire: traduis traduit traduisons traduisez traduise | traduit
    traduite traduits | traduisant | traduir; reduire: reduis reduit reduisons reduisez | reduit
    reduite reduits | reduisant | reduir; disparaitre: disparais disparait disparaissons
    disparaissez disparaisse disparaissent | disparu disparue disparus disparues | disparaissant |
    disparaitr; sortir: sors sort sortons sortez sorte sortes | sorti sortie sortis sorties |
    sortant | sortir; abattre: abats abat abattons abattez abatte | abattu abattue abattus |
    abattant | abattr"""

# Verb forms that are everyday nouns or adjectives as well.
NOUN_TOO: Final = """
    vide purge commande paie paye poste annonce adresse regle avance solde reserve facture
    charge relance lance signe partage invite transfert marque note copie archive recherche
    liste compare analyse controle compte classe demande montre voir dit fait livre joint
    demarre change termine reprise prise mise vire balance don prete accorde autorise resolu
    produit ouvert ferme contenu clos compris du reduit inscrit concu concu indique contacte
    communique informe dire devoir pouvoir savoir range passe passes tire message imprime mail
    bloque depense texte textes"""

# Nouns that are the action itself: "faire un virement" asks for one.
NOUNS: Final = {
    "delete": """
        suppression suppressions effacement destruction elimination retrait purge resiliation
        annulation menage nettoyage desinstallation disparition""",
    "send": """
        envoi envois expedition transmission mailing publipostage relance notification""",
    "publish": "publication diffusion parution divulgation annonce",
    "transfer": "transfert transferts deplacement migration bascule cession",
    "payment": """
        paiement paiements payement virement virements versement versements reglement
        remboursement remboursements achat achats commande commandes don dons depot acompte
        facture factures transaction transactions prelevement abonnement argent addition""",
    "export": """
        export exports exportation exportations sauvegarde sauvegardes telechargement dump csv
        zip xlsx excel""",
    "execute": """
        deploiement deploiements execution redemarrage installation declenchement lancement""",
    "configure_rights": """
        droit droits acces permission permissions role roles autorisation autorisations
        habilitation habilitations admin admins administrateur administratrice administrateurs
        moderateur moderatrice privilege privileges partage invitation invitations delegation
        collaborateur collaboratrice editeur editrice visibilite approbation approbations
        checkpoint checkpoints gouvernance secret secrets""",
}

# What one asks to be told; before an action's noun they make it a subject (le rapport de paiement).
READING_NOUNS: Final = {
    "summarize": "resume resumes synthese recap recapitulatif apercu",
    "analyze": "analyse analyses comparaison evaluation bilan statistiques stats",
    "search": "liste listes inventaire recherche",
    "query": """
        explication explications description detail details info infos information
        informations statut nombre total raison raisons difference sens definition reponse
        question questions idee avis conseil conseils""",
    "": """
        rapport rapports historique journal etat regle regles politique politiques article
        articles montant montants date dates heure guide documentation procedure procedures
        etapes marche frais couts limite limites bouton fonction fonctionnalite delai delais
        recu recus formulaire erreur erreurs page methode modele fonctionnement principe
        conditions modalites moyens echeance calendrier flux tableau motif motifs""",
}

# Function words, by the part they play.
WORDS: Final = {
    "definite": """
        le la les l mon ma mes ce cet cette ces son sa ses notre nos votre vos leur leurs tout
        toute tous toutes chaque ton ta tes ca cela ceci celui celle ceux celles au aux du""",
    "indefinite": """
        un une des quelque quelques plusieurs certains certaines deux trois aucun aucune""",
    "prep": """
        de d a dans par pour avec en vers chez entre depuis pendant selon via comme contre
        sous hors jusqu des jusque voici voila""",
    "about": "sur concernant propos sujet intitule intitulee disant expliquant",
    "subject": "je j c il elle on ils elles nous quelqu personne",
    "you": "tu vous toi",
    "object": "lui moi me m te t se s nous en y",
    "be": "est sont etait etaient sera seront ete suis es sommes etes fut etre soit",
    "have": "ai as avons avez ont avait avaient aura avais aviez a",
    "do": "",
    "modal": "peux peut peuvent pourrais pourra pourrait pourraient va vont",
    "oblige": """
        dois doit doivent devrais devra devront devrait devraient faut faudrait faudra""",
    "wh": """
        qui quoi quand comment pourquoi ou combien quel quelle quels quelles lequel laquelle""",
    "sub": """
        si quand lorsque lorsqu puisque puisqu car parce pendant tandis que qu apres avant des
        dont""",
    "and": "et puis ensuite apres plus aussi egalement & +",
    "or": "ou ni soit / sinon",
    "but": "mais or cependant toutefois plutot seulement uniquement juste donc alors",
    "soft": """
        stp svp please bonjour salut coucou bonsoir hello merci ok okay oui d'accord ouais bon
        bien alors nova maintenant vite rapidement simplement enfin finalement d'abord
        premierement deuxiemement immediatement urgent urgence cher chere donc tiens ecoute ah
        oh euh hein la aujourd'hui demain hier vraiment surtout encore definitivement
        completement entierement proprement directement automatiquement s'il plait te
        gentiment silteplait siteplait monsieur madame ici ben bah hop allez allo question""",
    "thing": """
        fil fils message messages note notes fichier fichiers dossier dossiers document
        documents tache taches compte comptes donnees espace sphere spheres projet projets
        contact contacts courriel courriels mail mails email emails brouillon brouillons
        commentaire commentaires photo photos image images evenement evenements reunion
        reunions participant participants membre membres equipe groupe canal base table ligne
        lignes historique conversation conversations discussion discussions enregistrement
        enregistrements element elements trucs truc choses chose contrat contrats rapport
        devis client clients euro euros jour mois semaine annee an nom langue mode script
        serveur doublon doublons facture loyer corbeille poubelle but version versions finance
        public publique publics publiques expert experts""",
    "negative": "ne n pas jamais rien aucun aucune ni guere point sans",
}
