"""Pages that the tests of reading and answering use: one of each kind."""

from chappe.partner.catalogue import CLE_INCORRECTE, CLE_REQUISE, CLEF_INCORRECTE
from chappe.partner.errors import Message
from chappe.partner.limits import Limit
from chappe.partner.page import Page, PageTable

SMS_CREDITS = Page(
    "sms",
    "credits",
    ("GET",),
    ("/me",),
    errors={10: CLE_INCORRECTE},
    xml_objects=frozenset({"user"}),
    json_only=frozenset({"creditSmsLowCost"}),
)
SMS_SEND = Page(
    "sms", "send", ("POST",), ("/send",), family="send", json_only=frozenset({"error", "messageId"})
)
SMS_STATUS = Page("sms", "message-status", ("GET",), ("/message-status",), family="status")
SMS_CANCEL = Page(
    "sms", "message-cancel", ("GET", "DELETE"), ("/message-cancel", "/message-cancel/{messageId}")
)
GROUP_ADD = Page(
    "sms",
    "group/add",
    ("POST",),
    ("/group/add",),
    errors={1: Message("name est requis", "name is required"), 2: CLE_REQUISE, 10: CLEF_INCORRECTE},
    missing_key_code=2,
)
CONTACT_LIST = Page(
    "sms",
    "contact/list",
    ("GET", "POST"),
    ("/contact/list",),
    errors={1: Message("groupId est requis", "groupId is required"), 10: CLEF_INCORRECTE},
    missing_key_code=10,
    missing_key=CLE_REQUISE,
)
VOICE_CREDITS = Page(
    "voice", "credits", ("GET",), ("/me", "/me/{apiKey}"), errors={10: CLE_INCORRECTE}, limit=Limit(5, 60)
)
VOICE_SEND = Page("voice", "campaign/send", ("POST",), ("/campaign/send",), family="send")
VOICE_CANCEL = Page(
    "voice", "campaign/cancel", ("DELETE",), ("/campaign/cancel", "/campaign/cancel/{apiKey}/{campaignId}")
)
VOICE_RENAME = Page("voice", "audio-file/rename", ("POST",), ("/audio-file/rename",))
VOICE_DELETE = Page("voice", "audio-file/delete", ("DELETE",), ("/audio-file/{tokenAudio}",))
VOICE_UPLOAD = Page(
    "voice",
    "audio-file/upload",
    ("POST",),
    ("/audio-file/upload",),
    body_max_bytes=25 << 20,
    accepts_multipart=True,
)
MAIL_CREDITS = Page("mail", "credits", ("GET",), ("/me",), errors={10: CLE_INCORRECTE}, limit=Limit(2000, 60))
MAIL_SEND = Page("mail", "send", ("POST",), ("/send",), family="send")

PAGES = (
    SMS_CREDITS,
    SMS_SEND,
    SMS_STATUS,
    SMS_CANCEL,
    GROUP_ADD,
    CONTACT_LIST,
    VOICE_CREDITS,
    VOICE_SEND,
    VOICE_CANCEL,
    VOICE_RENAME,
    VOICE_DELETE,
    VOICE_UPLOAD,
    MAIL_CREDITS,
    MAIL_SEND,
)
TABLE = PageTable(PAGES)
