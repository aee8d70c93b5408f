"""The central error table of Mail Partner (documentation page "Codes d'erreur", section on mail).

Code 3 repeats the text of code 1 on the page; it is kept as printed.
"""

from collections.abc import Mapping

from chappe.partner.errors import Code, Message

SEND: Mapping[Code, Message] = {
    1: Message("La clé API est requise", "The API key is required"),
    2: Message("Le contenu du mail est requis", "The content of the mail is required"),
    3: Message("La clé API est requise", "The API key is required"),
    4: Message("Le sender email est requis", "The sender email is required"),
    5: Message("Le sender name ne peut-être vide", "The sender name cannot be empty"),
    8: Message("L'URL de la pièce jointe est requise", "The URL of the attachment is required"),
    9: Message(
        "L'extension de la pièce jointe n'est pas autorisée", "The attachment extension is not allowed"
    ),
    10: Message("Clef API incorrecte", "Incorrect API key", 401),
    11: Message("Crédit insuffisant", "Insufficient credit", 402),
    14: Message("Le mail est dans la liste des désinscriptions", "The mail is in the unsubscribe list"),
    15: Message("Le mail est déjà dans la liste d'envoi", "The mail is already in the sending list"),
    16: Message("Le nom de la pièce jointe ne peut-être vide", "The name of the attachment cannot be empty"),
    17: Message("Nombre de destinataires maximum dépassé", "Maximum number of recipients exceeded"),
    18: Message("L'email du destinataire est requis", "The recipient's email is required"),
    19: Message("L'email du destinataire semble invalide", "The recipient's email seems invalid"),
    20: Message("Compte désactivé", "Account disabled", 403),
    21: Message("Le nom du destinataire ne peut-être vide", "The recipient's name cannot be empty"),
    22: Message("La liste des destinataires est requise", "The recipient list is required"),
    23: Message("L'email du destinataire en réponse est requis", "The recipient's reply email is required"),
    24: Message(
        "L'email du destinataire en réponse semble invalide", "The recipient's reply email seems invalid"
    ),
    25: Message(
        "Le nom du destinataire en réponse ne peut-être vide", "The recipient's reply name cannot be empty"
    ),
    30: Message("Compte bloqué", "Account blocked", 403),
    40: Message("L'accès à l'API est refusé", "Access to the API is denied", 403),
    45: Message("La date est requise", "The date is required"),
    46: Message("L'heure est requise", "The time is required"),
    47: Message("Le chiffre des minutes est invalide", "The minutes digit is invalid"),
    48: Message(
        "Les minutes doivent-être comprises entre 5 et 55 dans un intervalle de 5 minutes",
        "Minutes must be between 5 and 55 in intervals of 5 minutes",
    ),
    49: Message("La date est invalide", "The date is invalid"),
    50: Message(
        "Le nombre de mails autorisés est de 500 maxi", "The number of allowed mails is a maximum of 500"
    ),
    55: Message("Aucun prix par défaut n'a été trouvé", "No default price has been found"),
    90: Message("Le JSON est malformé: erreur de syntaxe", "The JSON is malformed: syntax error"),
    96: Message("L'IP n'est pas autorisée", "The IP is not authorized", 403),
    429: Message(
        "Trop de requêtes effectuées en une minute (limite : 2000 requêtes / minute / Adresse IP)",
        "Too many requests made in one minute (limit: 2000 requests / minute / IP Address)",
        429,
    ),
    500: Message(
        "Problème lors de l'ajout du mail dans la file d'attente", "Problem adding the mail to the queue", 500
    ),
}
