"""The central error table of Voice Partner (documentation page "Codes d'erreur", section on voice).

The string codes of the sends, the integers of the key and the account, and our own codes in the same style.
"""

from collections.abc import Mapping

from chappe.partner.errors import Code, Message

SEND: Mapping[Code, Message] = {
    "PHONE_NUMBER_REQUIRED": Message("Le numéro de téléphone est requis", "The phone number is required"),
    "PHONE_NUMBER_SIZE_ERROR": Message(
        "Le nombre de numéros est supérieur à 500", "The number of phone numbers exceeds 500"
    ),
    "TOKEN_AUDIO_REQUIRED": Message("Le token de l'audio est requis", "The audio token is required"),
    "NOTIFY_URL_INVALID": Message("L'url de notification est invalide", "The notification URL is invalid"),
    "SENDER_NOT_AUTHORIZED": Message("Le sender n'est pas autorisé", "The sender is not authorized", 403),
    "SENDER_INVALID": Message("Le sender est invalide", "The sender is invalid"),
    "AUDIO_FILE_NOT_FOUND": Message("Le fichier audio est introuvable", "The audio file is not found", 404),
    "DESTINATION_INVALID": Message(
        "Le numéro de téléphone n'est pas autorisé", "The phone number is not authorized"
    ),
    "NOT_CREDIT": Message("Crédit insuffisant", "Insufficient credit", 402),
    # Not on the page: faults that it has no code for.
    "TEXT_REQUIRED": Message("Le texte est requis", "The text is required"),
    "LANG_INVALID": Message("La langue est invalide", "The language is invalid"),
    "SCHEDULED_DATE_INVALID": Message("La date d'envoi est invalide", "The scheduled date is invalid"),
    "EMAIL_INVALID": Message("L'email est invalide", "The email is invalid"),
    "FILENAME_INVALID": Message(
        "Le nom du fichier doit comporter entre 3 et 50 caractères",
        "The file name must have between 3 and 50 characters",
    ),
}


# Items of the list under DESTINATION_INVALID: which number, and what is wrong with it.
def number_invalid(number: str) -> Message:
    """`number` as the client wrote it; the words are those of SMS Partner."""
    return Message(
        f"Ce numéro de téléphone n'est pas valide ({number})", f"This phone number is not valid ({number})"
    )


NUMBER_PREMIUM = Message("Les numéros surtaxés ne sont pas appelés", "Premium rate numbers are not called")
NUMBER_UNREACHABLE = Message(
    "Ce serveur n'a pas de route ou pas de prix pour ce numéro",
    "This server has no route or no price for this number",
)
NUMBER_STOPPED = Message("Le numéro est dans la liste STOP", "The number is in the STOP list")

COMMON: Mapping[Code, Message] = {
    1: Message("La clé API est requise", "The API key is required"),
    10: Message("Clé API incorrecte", "Invalid API key", 401),
    20: Message("Compte désactivé", "Account deactivated", 403),
    30: Message("Compte bloqué", "Account blocked", 403),
    40: Message("L'accès à l'API est refusé", "Access to the API is denied", 403),
    90: Message("Le JSON est malformé: erreur de syntaxe", "The JSON is malformed: syntax error"),
    96: Message("L'IP n'est pas autorisée", "The IP is not authorized", 403),
    400: Message("Mauvaise requête", "Bad request"),
    404: Message("Ressource non trouvé.", "Resource not found", 404),
    500: Message(
        "Problème lors de l'ajout de l'appel dans la file d'attente",
        "Problem adding the call to the queue",
        500,
    ),
}
