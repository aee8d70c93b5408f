"""Facts of the SMS Partner documentation: what its pages send-one, status and cancel take, give and refuse.

Copied as facts, with example values of our own. French as printed, with its accents; English from the English pages
where they have the row. A test compares octets with these, never with the tables of the server.
"""

from __future__ import annotations

from typing import NamedTuple


class Row(NamedTuple):
    """A row of an error table: the HTTP status by its meaning, the text in both languages."""

    status: int
    fr: str
    en: str


# What every SMS page may answer before it looks at anything of its own.
DOOR = {
    1: Row(400, "La Clé API est requise", "API key is required"),
    10: Row(401, "Clé API incorrecte", "Invalid API key"),
    20: Row(403, "Compte désactivé", "Account deactivated"),
    30: Row(403, "Compte bloqué", "Account blocked"),
    40: Row(403, "L'accès à l'API est refusé", "Access to the API is denied"),
    90: Row(400, "Le JSON est malformé: erreur de syntaxe", "The JSON is malformed: syntax error"),
    96: Row(403, "L'IP n'est pas autorisée", "The IP is not authorized"),
}

SEND = DOOR | {
    2: Row(400, "Le numéro de téléphone est requis", "The phone number is required"),
    9: Row(
        400,
        "Au moins une contrainte n'a pas été respectée lors de l'envoi",
        "At least one constraint was not met while sending",
    ),
    11: Row(402, "Manque de crédits", "Insufficient credits"),
    13: Row(
        400,
        "Aucun prix par défaut n'a été trouvé pour les numéros suivant",
        "No default price was found for the following numbers",
    ),
    14: Row(400, "Le numéro est dans la liste des STOP SMS", "The number is in the STOP SMS list"),
    15: Row(400, "Le numéro est déjà présent dans la liste", "The number is already in the list"),
    42: Row(
        400,
        "Le nombre de caractères pour un sms Low Cost est 160 caractères",
        "A Low Cost SMS is limited to 160 characters",
    ),
    44: Row(400, "L'émetteur est invalide", "The sender is invalid"),
    45: Row(400, "La date est requise", "The date is required"),
    46: Row(400, "L'heure est requise", "The time is required"),
    47: Row(400, "Le chiffre des minutes est invalide", "The minutes digit is invalid"),
    48: Row(
        400,
        "Les minutes doivent-être comprise entre 5 et 55 dans un interval de 5 minutes",
        "Minutes must be between 5 and 55 in intervals of 5 minutes",
    ),
    49: Row(400, "La date est invalide", "The date is invalid"),
    50: Row(
        400,
        "Le nombre de numéros autorisés est de 500 maxi",
        "The maximum number of authorized numbers is 500",
    ),
    51: Row(400, "La gamme lowcost n'est pas éligible", "The low cost range is not eligible"),
    52: Row(
        400,
        "Le nombre de SMS concaténés ne peut excéder 10 SMS",
        "The number of concatenated SMS cannot exceed 10 SMS",
    ),
    55: Row(400, "Aucun numéro à envoyer", "No number to send to"),
}

MESSAGE_STATUS = DOOR | {
    2: Row(400, "Le numéro de téléphone est requis", "The phone number is required"),
    3: Row(400, "L'ID du message est requis", "The message ID is required"),
    4: Row(404, "Message introuvable", "Message not found"),
}

BULK_STATUS = DOOR | {
    3: Row(400, "L'ID du message est requis", "The message ID is required"),
    4: Row(404, "Message introuvable", "Message not found"),
}

MESSAGE_CANCEL = DOOR | {
    3: Row(400, "L'ID du message est requis", "The message ID is required"),
    4: Row(404, "Message introuvable", "Message not found"),
    5: Row(400, "L'envoi du SMS a déjà été annulé", "The SMS sending has already been canceled"),
    6: Row(
        400,
        "Vous ne pouvez pas annuler l'envoi d'un SMS moins de 5 minutes avant son envoi",
        "You cannot cancel an SMS less than 5 minutes before it is sent",
    ),
    7: Row(
        400,
        "Vous ne pouvez pas annuler un SMS déjà envoyé",
        "You cannot cancel an SMS that has already been sent",
    ),
}

# The items of the code-9 list of the send pages, in their documented order: field, French, English.
CONSTRAINTS = {
    "message": ("Le message est requis", "The message is required"),
    "phoneNumbers": (
        "Ce numéro de téléphone n'est pas valide (922264)",
        "This phone number is not valid (922264)",
    ),
    "sender": (
        "L'émetteur ne peut pas être plus long que 11 caractères",
        "The sender cannot be longer than 11 characters",
    ),
    "scheduledDeliveryDate": (
        "La date (21/11/2014 à :) est antérieure à la date actuelle.",
        "The date (21/11/2014 at :) is earlier than the current date.",
    ),
    "minute": ("La minute est requise", "The minute is required"),
    "time": ("L'heure est requise", "The time is required"),
}
NOT_MOBILE = ("Ne semble pas être un numéro de mobile", "Does not seem to be a mobile number")

CANCELLED = ("L'envoi du SMS a été annulé.", "The SMS sending has been canceled.")

XML_HEAD = '<?xml version="1.0" encoding="UTF-8"?>\n<result>'
XML_TAIL = "</result>\n"

# The table of special characters (page "Caractères spéciaux"): written -> sent, where the alphabet is GSM 03.38.
REPLACED = {
    "ą": "à",
    "’": "'",
    "ÿ": "y",
    "ç": "Ç",
    "û": "u",
    "ü": "u",
    "ï": "i",
    "ô": "o",
    "ö": "o",
    "ó": "o",
    "î": "i",
    "ë": "e",
    "ê": "e",
    "[": "(",
    "]": ")",
    "{": "(",
    "}": ")",
    "`": "'",
    "µ": "u",
    "Ä": "A",
    "À": "A",
    "Á": "A",
    "Â": "A",
    "Ã": "A",
    "È": "E",
    "Ê": "E",
    "Ë": "E",
    "Î": "I",
    "Ü": "U",
    "Ù": "U",
    "Ú": "U",
    "Û": "U",
    "Ý": "Y",
    "ä": "a",
    "á": "a",
    "â": "a",
    "ã": "a",
    "Ö": "O",
    "Ô": "O",
    "œ": "oe",
    "°": ".",
    "‘": "'",
    "“": '"',
    "ñ": "n",
    "Ñ": "N",
    "«": '"',
    "»": '"',
}
DELETED = "^~|\\¨§"
