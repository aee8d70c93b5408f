"""What people and machines say when they answer. A list in a list: pieces with pauses between them.

What the held-out voices say is said by no other voice.
"""

from __future__ import annotations

PEOPLE = {
    ("fr", False): [
        ["Allô ?"],
        ["Allô, oui ?"],
        ["Oui, allô ?"],
        ["Oui ?"],
        ["Bonjour."],
        ["Allô, bonjour !"],
        ["Oui, j'écoute."],
        ["Allô ?", "Qui est à l'appareil ?"],
        ["Martin, bonjour."],
        ["Madame Lefèvre à l'appareil."],
        ["Allô ?", "Allô ?"],
        ["Société Dubois bonjour, que puis-je faire pour vous ?"],
        ["Garage du Centre, bonjour, Sophie à votre service."],
        ["Cabinet médical, bonjour.", "Je vous écoute."],
        ["Bonjour, hôtel du Parc, Isabelle à votre écoute."],
        ["Boulangerie Petit, bonjour."],
        ["Mairie de Tours, bonjour, vous désirez ?"],
    ],
    ("en", False): [
        ["Hello?"],
        ["Yes, hello?"],
        ["Hi."],
        ["John speaking."],
        ["Good morning."],
        ["Hello?", "Who is this?"],
        ["Hello, this is Mary."],
        ["Acme Incorporated, good morning, how may I help you?"],
        ["Thank you for calling Baker and Sons, Jane speaking."],
        ["City library, good afternoon.", "How can I help?"],
        ["Yeah?"],
    ],
    ("fr", True): [
        ["Allô, oui bonjour ?"],
        ["Oui bonjour ?"],
        ["Allô allô ?"],
        ["Oui, qui est-ce ?"],
        ["Durand."],
        ["Bonsoir."],
        ["Ouais, allô ?"],
        ["Allô ?", "Oui ?"],
        ["Pharmacie de la Gare bonjour, Julie à l'appareil."],
        ["Établissements Morel, bonjour, en quoi puis-je vous aider ?"],
        ["École Jules Ferry, bonjour.", "C'est de la part de qui ?"],
        ["Accueil de la clinique des Lilas, bonjour, ne quittez pas."],
    ],
    ("en", True): [
        ["Hello, who's speaking?"],
        ["Hello there."],
        ["Yes?"],
        ["Good evening, hello?"],
        ["Smith."],
        ["Hello?", "Can I help you?"],
        ["Green Garden Centre, Tom speaking, how can I help you today?"],
        ["Doctor Brown's surgery, good morning."],
        ["Front desk, this is Laura."],
    ],
}

MACHINES = {
    ("fr", False): [
        [
            "Bonjour, vous êtes bien sur la messagerie vocale du",
            "zéro six",
            "douze",
            "trente-quatre",
            "cinquante-six",
            "Votre correspondant n'est pas disponible. Laissez un message après le signal sonore.",
        ],
        ["Bonjour.", "Vous êtes bien chez Pierre et Marie.", "Laissez-nous un message après le bip, merci."],
        ["Je ne suis pas là pour le moment, laissez-moi un message."],
        ["Laissez un message après le bip."],
        [
            "Salut, c'est Thomas, je peux pas répondre, laisse un message et je te rappelle dès que possible, à plus !"
        ],
        [
            "Vous êtes bien au cabinet du docteur Moreau.",
            "Le cabinet est ouvert du lundi au vendredi de neuf heures à dix-huit heures.",
            "En cas d'urgence, composez le quinze.",
            "Vous pouvez laisser un message après le signal.",
        ],
        ["Le répondeur de votre correspondant est activé. Veuillez laisser votre message."],
        [
            "Bienvenue sur le répondeur de la famille Garnier. Nous sommes absents. À bientôt, et parlez après le bip."
        ],
        [
            "La société Dubois est fermée pour congés jusqu'au vingt-huit août.",
            "Merci de laisser vos coordonnées, nous vous rappellerons.",
        ],
    ],
    ("en", False): [
        [
            "The person you are calling is not available.",
            "At the tone, please record your message.",
            "When you have finished recording, you may hang up.",
        ],
        ["Hi, this is Paul. I can't come to the phone right now, please leave a message."],
        ["Please leave your message after the tone."],
        [
            "Hello.",
            "You have reached the Wilson family.",
            "We are out at the moment, leave your name and number and we will call you back.",
        ],
        ["You've reached the voicemail of", "Anna Taylor", "Leave a message after the beep. Thanks, bye!"],
        [
            "Thank you for calling Baker and Sons. Our offices are now closed.",
            "Our opening hours are nine to five, Monday to Friday.",
            "Please leave a message.",
        ],
    ],
    ("fr", True): [
        [
            "Bonjour, vous êtes sur le répondeur du",
            "zéro un",
            "quarante-deux",
            "soixante",
            "dix-huit",
            "Merci de laisser votre message après le bip sonore.",
        ],
        ["Oui bonjour,", "vous êtes bien sur la boîte vocale de Nicolas Petit, je suis absent ou en ligne."],
        ["Merci de laisser un message."],
        [
            "Coucou, vous êtes bien sur mon portable, mais je ne peux pas décrocher. Laissez un petit message, bisous !"
        ],
        [
            "Bonjour, et merci d'avoir appelé la boutique de la place.",
            "Nous sommes actuellement fermés.",
            "Vous pouvez nous joindre dès demain, ou laisser un message avec votre nom et votre numéro.",
        ],
        ["Votre correspondant est momentanément absent. Veuillez laisser un message après le signal."],
    ],
    ("en", True): [
        [
            "Welcome to the voice mail service.",
            "Oh seven seven",
            "nine hundred",
            "one two three",
            "is not available. Please leave a message after the tone.",
        ],
        ["Hey, it's Chris, sorry I missed you, leave me a message and I'll get back to you."],
        ["Nobody is here to take your call. Please speak after the beep."],
        [
            "Good day.",
            "This is the answering machine of the village hall.",
            "For bookings, please leave your name, your number and the date, and somebody will return your call.",
        ],
    ],
}
