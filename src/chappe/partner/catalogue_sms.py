"""The central error tables of SMS Partner (documentation page "Codes d'erreur", sections on SMS).

French as the page prints it, its spelling included, because clients compare texts; straight apostrophes.
English from the English page where there is one. Also the texts of the code-9 list, which stand on the
send pages.
"""

from collections.abc import Mapping

from chappe.partner.errors import Code, Fault, Message, constraint

_CREDIT = Message("Crédit insuffisant", "Insufficient credit", 402)
_STOP = Message("Le numéro est dans la liste des STOP SMS", "The number is in the STOP SMS list")
_TOO_MANY = Message(
    "Le nombre de numéros autorisés est de 500 maxi", "The maximum number of authorized numbers is 500"
)
_NOBODY = Message("Aucun numéro à envoyer", "No number to send to")
_ADDRESS = Message("L'IP n'est pas autorisée", "The IP is not authorized", 403)

SEND: Mapping[Code, Message] = {
    1: Message("La clé API est requise", "API key is required"),
    2: Message("Le champ phoneNumbers est requis", "The field phoneNumbers is required"),
    4: Message("message introuvable", "Message not found", 404),
    9: Message(
        "Au moins une contrainte n'a pas été respectée lors de l'envoi",
        "At least one constraint was not met while sending",
    ),
    10: Message("Clef API incorrecte", "Incorrect API key", 401),
    11: _CREDIT,
    13: Message(
        "Aucun prix par défaut n'a été trouvé pour les numéros suivant",
        "No default price was found for the following numbers",
    ),
    14: _STOP,
    15: Message("Le numéro est déjà présent dans la liste", "The number is already in the list"),
    20: Message("Compte désactivé", "Account deactivated", 403),
    22: Message(
        "SMS Marketing: L'heure d'envoi n'est pas valide, elle doit être comprise entre 8h et 22h.",
        "SMS Marketing: The sending time is not valid, it must be between 8 a.m. and 10 p.m.",
    ),
    23: Message(
        "SMS Marketing: La date […] n'est pas valide, "
        "L'envoi des sms n'est pas possible le dimanche et jours fériés.",
        "SMS Marketing: The date […] is not valid, SMS cannot be sent on Sundays and public holidays.",
    ),
    30: Message("Compte bloqué", "Account blocked", 403),
    40: Message("L'accès à l'API est refusé", "Access to the API is denied", 403),
    42: Message(
        "Le nombre de caractères pour un sms Low Cost est 160 caractères",
        "A Low Cost SMS is limited to 160 characters",
    ),
    43: Message("Le message est requis", "The message is required"),
    44: Message("L'émetteur est invalide", "The sender is invalid"),
    45: Message("La date est requise", "The date is required"),
    46: Message("L'heure est requise", "The time is required"),
    47: Message("Le chiffre des minutes est invalide", "The minutes digit is invalid"),
    48: Message(
        "Les minutes doivent-être comprise entre 5 et 55 dans un interval de 5 minutes",
        "Minutes must be between 5 and 55 in intervals of 5 minutes",
    ),
    49: Message("La date est invalide", "The date is invalid"),
    50: _TOO_MANY,
    51: Message("La gamme lowcost n'est pas éligible", "The low cost range is not eligible"),
    52: Message(
        "Le nombre de SMS concaténés ne peut excéder 10 SMS",
        "The number of concatenated SMS cannot exceed 10 SMS",
    ),
    55: _NOBODY,
    90: Message("Le JSON est malformé: erreur de syntaxe", "The JSON is malformed: syntax error"),
    96: _ADDRESS,
    500: Message(
        "Problème lors de l'ajout du sms dans la file d'attente", "Problem adding the SMS to the queue", 500
    ),
    992: Message("Sender non autorisé", "Sender not authorized", 403),
}

STATUS: Mapping[Code, Message] = {  # and "Annulation des SMS": the page prints the same table for both
    2: Message("Le champ phoneNumber est requis", "The field phoneNumber is required"),
    3: Message("Le champ MessageId est requis", "The field MessageId is required"),
    4: Message("Ce message est introuvable", "This message was not found", 404),
    5: Message("La liste des numéros est vide", "The list of numbers is empty"),
    6: Message("Le format n'est pas correct", "The format is not correct"),
    9: Message("Ne semble pas être un numéro de mobile", "Does not seem to be a mobile number"),
    50: _TOO_MANY,
    96: _ADDRESS,
}

VERIFICATION: Mapping[Code, Message] = {
    2: Message("Le champ phoneNumber est requis", "The field phoneNumber is required"),
    11: _CREDIT,
    13: Message(
        "Aucun prix par défaut n'a été trouvé vers cette destination",
        "No default price was found to this destination",
    ),
    14: _STOP,
    19: Message("Les numéros doivent-être séparés par une virgule", "Numbers must be separated by a comma"),
    50: _TOO_MANY,
    55: _NOBODY,
    96: _ADDRESS,
}


def _parameter(name: str, fr: str, en: str, http_status: int = 400) -> Message:
    return Message(f"Le paramètre {name} {fr}", f"The parameter {name} {en}", http_status)


LOCATION: Mapping[Code, Message] = {
    3: _parameter("parameters", "est requis", "is required"),
    4: _parameter("op", "est requis", "is required"),
    5: _parameter("urlNotification", "n'est pas une URL valide", "is not a valid URL"),
    6: Message("Cette opération n'est pas autorisé", "This operation is not allowed", 403),
    7: _parameter("sexe", "est requis", "is required"),
    8: _parameter("sexe", "doit être uniquement m,h or f", "must be m, h or f only"),
    9: _parameter("minAge", "est requis", "is required"),
    11: _CREDIT,
    12: _parameter("minAge", "doit être supérieur à 17", "must be greater than 17"),
    13: _parameter("maxAge", "est requis", "is required"),
    14: _parameter("maxAge", "doit être inférieur à 99", "must be less than 99"),
    15: _parameter("interest", "doit être supérieur à 0", "must be greater than 0"),
    16: _parameter("interest", "ne peut pas être vide", "cannot be empty"),
    17: _parameter("subInterest", "ne doit pas être vide", "must not be empty"),
    18: _parameter("subInterest", "doit être supérieur à 0", "must be greater than 0"),
    19: Message(
        "Les paramètres interest ou subInterest sont requis",
        "The parameters interest or subInterest are required",
    ),
    22: _parameter("category", "ne doit pas être vide", "must not be empty"),
    23: _parameter("category", "doit être supérieur à 0", "must be greater than 0"),
    24: Message("Les paramètres Type est requis", "The parameter Type is required"),
    25: _parameter("Localite", "est requis", "is required"),
    26: _parameter("Volume", "est requis", "is required"),
    27: Message(
        "Le volume souhaité ne peut pas être supérieur au volume disponible",
        "The desired volume cannot be greater than the available volume",
    ),
    28: _parameter(
        "DesiredVolume",
        "ne peux pas être supérieur au volume total",
        "cannot be greater than the total volume",
    ),
    31: _parameter("token", "est requis", "is required"),
    32: Message("La demande de location est introuvable", "The rental request was not found", 404),
    33: Message("Le fichier de location est introuvable", "The rental file was not found", 404),
    34: Message("Le fichier de location a déjà été utilisé", "The rental file has already been used"),
    35: Message(
        "Le fichier de location est en cours de téléchargement", "The rental file is being downloaded"
    ),
    36: Message("La location du fichier a échoué", "The rental of the file failed"),
    61: Message(
        "La requête semble invalide et n'a retourné aucun résultat",
        "The request seems invalid and returned no result",
    ),
    96: _ADDRESS,
}

SUBACCOUNT: Mapping[Code, Message] = {
    2: Message(
        "Vous n'êtes pas autorisé à créer des sous-comptes",
        "You are not authorized to create sub-accounts",
        403,
    ),
    3: Message("Le champ Credit est requis", "The field Credit is required"),
    4: Message("Le champ tokenSubaccount est requis", "The field tokenSubaccount is required"),
    5: Message("Le champ credit doit être supérieur à 0", "The field credit must be greater than 0"),
    6: Message("Le sous-compte est introuvable", "The sub-account was not found", 404),
    7: Message("Crédit insuffisant pour le sous-compte", "Insufficient credit for the sub-account", 402),
    11: _CREDIT,
    96: _ADDRESS,
}

# The code-9 list of the send pages. The samples print it without accents in JSON and with them in XML:
# with them here.
MESSAGE_REQUIRED = constraint("message", Message("Le message est requis", "The message is required"))
SENDER_TOO_LONG = constraint(
    "sender",
    Message(
        "L'émetteur ne peut pas être plus long que 11 caractères",
        "The sender cannot be longer than 11 characters",
    ),
)
MINUTE_REQUIRED = constraint("minute", Message("La minute est requise", "The minute is required"))
TIME_REQUIRED = constraint("time", Message("L'heure est requise", "The time is required"))


def number_invalid(number: str, field: str = "phoneNumbers") -> Fault:
    """`number` as the client wrote it; `field` is ``phoneNumber`` on bulk-send and the survey page."""
    return constraint(
        field,
        Message(
            f"Ce numéro de téléphone n'est pas valide ({number})",
            f"This phone number is not valid ({number})",
        ),
    )


def number_not_mobile(number: str, field: str = "phoneNumbers") -> Fault:
    """A French number that is not a mobile one (code 9 of the status table, section 1.8)."""
    return constraint(
        field,
        Message(
            f"Ne semble pas être un numéro de mobile ({number})",
            f"Does not seem to be a mobile number ({number})",
        ),
    )


def date_past(date: str, time: str, minute: str) -> Fault:
    """The three as the client wrote them, blank where missing: ``La date (21/11/2014 à :) …``."""
    return constraint(
        "scheduledDeliveryDate",
        Message(
            f"La date ({date} à {time}:{minute}) est antérieure à la date actuelle.",
            f"The date ({date} at {time}:{minute}) is earlier than the current date.",
        ),
    )
