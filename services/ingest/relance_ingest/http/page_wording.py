"""What visitors read, in their language."""

from collections.abc import Mapping

from relance_ingest.domain.languages import Language

WORDING: Mapping[Language, Mapping[str, str]] = {
    "en": {
        "thanks_title": "Thank you",
        "thanks": "We have received your message and will get back to you shortly.",
        "check": "Please check what you entered",
        "check_then": "Nothing was sent. Go back, mend this, and send it again: what you wrote is still there.",
        "refused": "This form could not be sent",
        "refused_then": "Please reach us in another way. For whoever runs the site that you come from:",
        "again": "Just a moment, please",
        "again_then": "Too much is going on here just now, and nothing was sent. Reload this page in a few seconds.",
        "back": "Back to the form",
        "whole": "The form",
    },
    "de": {
        "thanks_title": "Vielen Dank",
        "thanks": "Ihre Nachricht ist bei uns angekommen. Wir melden uns in Kürze bei Ihnen.",
        "check": "Bitte prüfen Sie Ihre Angaben",
        "check_then": "Es wurde nichts gesendet. Gehen Sie zurück, verbessern Sie dies und senden Sie noch einmal: "
        "Was Sie geschrieben haben, ist noch da.",
        "refused": "Das Formular konnte nicht gesendet werden",
        "refused_then": "Bitte erreichen Sie uns auf einem anderen Weg. Für den Betreiber der Seite, von der Sie "
        "kommen:",
        "again": "Einen Augenblick, bitte",
        "again_then": "Hier ist gerade zu viel los, und es wurde nichts gesendet. Laden Sie diese Seite in wenigen "
        "Sekunden neu.",
        "back": "Zurück zum Formular",
        "whole": "Das Formular",
    },
}
_GERMAN_FAULTS = {
    "email": "Das ist keine gültige E-Mail-Adresse.",
    "phone": "Diese Telefonnummer gibt es nicht: Fehlt eine Ziffer oder die Ländervorwahl?",
    "": "Bitte geben Sie eine E-Mail-Adresse oder eine Telefonnummer an, damit wir Ihnen antworten können.",
}


def fault_text(language: Language, field: str, detail: str) -> str:
    """What is wrong with a lead's field ("" is the whole), for whoever fills it in; in English `detail` itself."""
    return detail if language == "en" else _GERMAN_FAULTS.get(field, "Bitte prüfen Sie diese Angabe.")
