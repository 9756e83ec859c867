"""How people delay, resume and chat, once for the demo and once for pre-training."""

from __future__ import annotations

from typing import Final

from .frames import Manners

__all__ = ["DEMO_MANNERS", "PRETRAINING_MANNERS"]

DEMO_MANNERS: Final = Manners(
    delays=(
        "do not {c} (yet|now), I am still thinking",
        "later I will ask you to {c}, but not (yet|now)",
        "in a while you could {c}, wait for my word",
        "(hold on|hang on) before you {c}",
    ),
    waits=("All right, I will wait.", "Sure, tell me when.", "I am ready when you are."),
    resumes=("ok, go ahead", "now please", "yes, do it now", "I am ready, go on"),
    small_talk=(
        ("what is the capital of France?", "The capital of France is Paris."),
        ("what is the capital of Italy?", "The capital of Italy is Rome."),
        ("what is the capital of Japan?", "The capital of Japan is Tokyo."),
        ("how many days does a week have?", "A week has seven days."),
        ("how many minutes are in an hour?", "An hour has sixty minutes."),
        ("how many months are in a year?", "A year has twelve months."),
        ("(thanks, that is all|that was all, thank you)", "You are welcome."),
        ("(who|what) are you?", "I am an assistant with a few tools."),
        ("what can you do?", "I can use the tools that you see."),
        ("(good morning|good evening)", "Hello, how can I help?"),
        ("tell me a joke", "Why did the clock go to school? To learn the time."),
        ("is the sun a star?", "Yes, the sun is a star."),
        ("which is bigger, the moon or the sun?", "The sun is bigger than the moon."),
    ),
)

PRETRAINING_MANNERS: Final = Manners(
    delays=(
        "(wait|stop) before you {c}",
        "soon you may {c}, but (wait for now|wait)",
        "not yet, but I may ask you to {c}",
        "I am not sure if you should {c}, give me a moment",
        "hold off, {c} only when I say so",
    ),
    waits=("Fine, I will wait.", "All right, say when.", "I will wait for you.", "Sure, take your time."),
    resumes=("go on", "yes please", "now you can", "do it", "ok, now", "please go ahead"),
    small_talk=(
        ("what is the opposite of (hot|warm)?", "The opposite is cold."),
        ("what is the opposite of (big|large)?", "The opposite is small."),
        ("what color is (grass|a leaf)?", "It is green."),
        ("what color is (snow|milk)?", "It is white."),
        ("how many legs does a (dog|cat|horse) have?", "It has four legs."),
        ("how many wheels does a car have?", "A car has four wheels."),
        ("what is the capital of (Spain|Portugal)?", "Madrid is in Spain and Lisbon in Portugal."),
        ("what is (one|two) and two?", "It is a small number."),
        ("(thank you|thanks a lot|many thanks)", "You are welcome."),
        ("(good day|good afternoon|hello there)", "Hello, what can I do?"),
        ("what is your name?", "I have no name, I am an assistant."),
        ("are you a (person|robot)?", "I am an assistant."),
        ("is (water|ice) wet?", "Yes, it is."),
        ("can (fish|birds) (swim|fly)?", "Yes, they can."),
        ("tell me (a story|something)", "Once there was a king who had a red horse."),
        ("how are you?", "I am well, thank you."),
        ("what do you think?", "I think it is a good day."),
    ),
)
