"""Conversing recommenders by name."""

from __future__ import annotations

from groundlings.environments.plugins import ExtensionPoint

CHAT_SYSTEMS = ExtensionPoint(
    "conversing recommender",
    "groundlings.chat_systems",
    {
        "random": "groundlings.recommenders.conversation.rules:RandomTalk",
        "popularity": "groundlings.recommenders.conversation.rules:PopularTalk",
        "listening": "groundlings.recommenders.conversation.rules:ListeningTalk",
        "asking": "groundlings.recommenders.conversation.rules:AskingTalk",
        "asking_popular": "groundlings.recommenders.conversation.rules:AskingPopularTalk",
        "elimination": "groundlings.recommenders.conversation.elimination:EliminationTalk",
    },
)
