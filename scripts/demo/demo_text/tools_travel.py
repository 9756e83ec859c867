"""The demo's tools for travelling and eating out."""

from __future__ import annotations

from typing import Final

from .catalog import FollowUp, Tool, parameters

__all__ = ["TRAVEL_TOOLS"]

TRAVEL_TOOLS: Final[tuple[Tool, ...]] = (
    Tool(
        name="get_forecast",
        family="travel",
        description="Weather for a city.",
        parameters=parameters("city date?"),
        requests=(
            "(check|get me|look up) the weather in {city}(| {date})",
            "tell me if it will (rain|snow) in {city} {date}",
            "will it (rain|snow|be sunny|stay dry) in {city} {date}?",
            "(what is|how is) the weather in {city}(| {date})?",
            "do I need an umbrella in {city}(| {date})?",
            "how (warm|cold) (will it get|is it) in {city} {date}?",
        ),
        rare=("should I pack a coat for {city}(| {date})?", "is it a beach day in {city}?"),
        vague=("check the weather {date}", "will it (rain|snow) {date}?", "do I need an umbrella {date}?"),
        result={"sky": "sky", "high": "degrees"},
        answers=("Expect {sky} in {city}, up to {high} degrees.", "{city}: {sky}, {high} degrees."),
    ),
    Tool(
        name="search_flights",
        family="travel",
        description="Find planes between two cities.",
        parameters=parameters("origin:city destination:city date"),
        requests=(
            "(find|look up|get) (me |)a flight from {origin} to {destination} {date}",
            "(find|look for|show me) flights from {origin} to {destination} {date}",
            "look for a plane from {origin} to {destination} {date}",
            "which planes go from {origin} to {destination} {date}?",
            "(is there|do you see) a flight from {origin} to {destination} {date}?",
        ),
        rare=("find a way to fly from {origin} to {destination} {date}", "what takes off from {origin} for {destination} {date}?"),
        vague=("find a flight from {origin} to {destination}", "find me a flight to {destination} {date}"),
        result={"flight": "flight", "price": "money"},
        answers=("Flight {flight} to {destination} costs {price}.", "There is {flight} for {price}."),
        follow_ups=(
            FollowUp("book_flight", "(book|buy|take) (it|that flight) for {passenger}", {"flight": "flight"}),
        ),
    ),
    Tool(
        name="book_flight",
        family="travel",
        description="Buy a plane ticket.",
        parameters=parameters("flight passenger:person"),
        requests=(
            "book flight {flight} for {passenger}",
            "(buy|get) a ticket on {flight} for {passenger}",
            "(reserve|book) a seat on flight {flight} for {passenger}",
            "(put|get) {passenger} on flight {flight}",
        ),
        rare=("make sure {passenger} is aboard {flight}", "can {passenger} have a seat on {flight}?"),
        vague=("book flight {flight}", "book a flight for {passenger}", "buy a ticket on {flight}"),
        result={"status": "outcome"},
        answers=("{passenger} has a seat on {flight}.", "Flight {flight} is booked for {passenger}."),
    ),
    Tool(
        name="stay_search",
        family="travel",
        description="Find hotels in a city.",
        parameters=parameters("city nights"),
        requests=(
            "(find|look for|get me) a hotel in {city} for {nights} nights",
            "find (a room|a place to stay|a bed) in {city} for {nights} nights",
            "(look up|show me) hotels in {city} for {nights} nights",
            "where can I (sleep|stay) in {city} for {nights} nights?",
        ),
        rare=("I am in {city} for {nights} nights, where do I sleep?", "find somewhere with breakfast in {city}, {nights} nights"),
        vague=("find a hotel in {city}", "find a hotel for {nights} nights", "where can I stay in {city}?"),
        result={"hotel": "hotel", "price": "money"},
        answers=("{hotel} in {city} costs {price}.", "I found {hotel} for {price}."),
        follow_ups=(
            FollowUp("reserve_room", "(book|reserve|take) it {date}", {"hotel": "hotel"}),
        ),
    ),
    Tool(
        name="reserve_room",
        family="travel",
        description="Book a hotel.",
        parameters=parameters("hotel date"),
        requests=(
            "(book|reserve) a room at {hotel} {date}",
            "(book|reserve) {hotel} {date}",
            "get (me|us) a (double |)room at {hotel} {date}",
            "check (me|us) in at {hotel} {date}",
        ),
        rare=("have {hotel} keep a bed for me {date}", "tell {hotel} that I arrive {date}"),
        vague=("book a room at {hotel}", "(book|reserve) a hotel room {date}"),
        result={"room": "code"},
        answers=("Room {room} at {hotel} is yours.", "{hotel} keeps room {room} for you."),
    ),
    Tool(
        name="route_plan",
        family="travel",
        description="Directions from one place to another.",
        parameters=parameters("start:city goal:city"),
        requests=(
            "(show me|find|get) the (way|route|road) from {start} to {goal}",
            "how do I (get|drive|go) from {start} to {goal}?",
            "(get|give me) directions from {start} to {goal}",
            "how far is {goal} from {start}?",
        ),
        rare=("I am lost in {start}, guide me to {goal}.", "which road leads from {start} to {goal}?"),
        vague=("show me the way to {goal}", "how do I (get|drive) to {goal}?", "give me directions from {start}"),
        result={"via": "road", "minutes": "minutes"},
        answers=("Take {via}, it is {minutes} minutes to {goal}.", "Go by {via} for {minutes} minutes."),
    ),
    Tool(
        name="order_taxi",
        family="travel",
        description="Send a car to a place.",
        parameters=parameters("pickup:place time"),
        requests=(
            "(order|book|call|get) (me |)a (taxi|cab) to {pickup} at {time}",
            "(send|get) a (car|driver|taxi) to {pickup} at {time}",
            "I need a (ride|taxi|cab) from {pickup} at {time}.",
            "have someone (drive me|pick me up) from {pickup} at {time}",
        ),
        rare=("get me home from {pickup} at {time}", "who can drive me from {pickup} at {time}?"),
        vague=("(order|call) a (taxi|cab) to {pickup}", "(order|book) (me |)a (taxi|cab) at {time}"),
        result={"driver": "person"},
        answers=("{driver} will be at {pickup} at {time}.", "Your driver is {driver}."),
    ),
    Tool(
        name="find_restaurants",
        family="food",
        description="Places to eat in a city.",
        parameters=parameters("city cuisine"),
        requests=(
            "(find|look for|show me) a {cuisine} restaurant in {city}",
            "(find|get) me {cuisine} food in {city}",
            "where can I eat {cuisine} (food |)in {city}?",
            "(find|look up) a (good |)place for {cuisine} (dinner|lunch) in {city}",
        ),
        rare=("I am hungry for {cuisine} in {city}.", "who cooks {cuisine} in {city}?"),
        vague=("find a {cuisine} restaurant", "(find|show me) a restaurant in {city}", "where can I eat in {city}?"),
        result={"place": "place"},
        answers=("Try {place} in {city}.", "{place} has good {cuisine} food."),
        follow_ups=(
            FollowUp("book_table", "(book|get|reserve) a table there for {people} at {time}", {"place": "place"}),
        ),
    ),
    Tool(
        name="book_table",
        family="food",
        description="Reserve seats at a restaurant.",
        parameters=parameters("place people time"),
        requests=(
            "(book|reserve|get) a table at {place} for {people} at {time}",
            "(book|reserve) {place} for {people} people at {time}",
            "(book|get) us seats for {people} at {place} at {time}",
            "reserve (dinner|lunch) for {people} at {place} at {time}",
        ),
        rare=("we are {people} and want to eat at {place} at {time}.", "can {place} seat {people} at {time}?"),
        vague=("(book|reserve) a table at {place} for {people}", "(book|get) a table at {place} at {time}"),
        result={"status": "outcome"},
        answers=("A table for {people} at {place} is booked.", "{place} expects you at {time}."),
    ),
)
