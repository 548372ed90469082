"""`omisim demo`: a golden-image pipeline of three accounts. Every API call goes through the real SDK.

alice makes an OMI and shares it; bob uses it; carol, in another Region, imports it; alice stops sharing and cleans up.
Time is virtual: transient states are visible without waiting.
"""

from __future__ import annotations

from omisim.cloud.cloud import Cloud
from omisim.tools.demo.pipeline import bake, clean_up, find_official_image, share, stop_sharing
from omisim.tools.demo.regions import export_and_import, show_expired_url
from omisim.tools.demo.show import show
from omisim.tools.demo.story import Actor, Story, StoryStep

__all__ = ["Story", "StoryStep", "play", "show"]


def play() -> Story:
    """Play the story on a fresh cloud."""
    cloud = Cloud(timing="clock")
    story = Story(cloud)
    alice, bob = (Actor(story, cloud.account(name)) for name in ("alice", "bob"))
    carol = Actor(story, cloud.account("carol", region="us-east-2"))
    source = find_official_image(alice)
    golden = bake(story, alice, source)
    copy_id = share(story, alice, bob, golden)
    stop_sharing(story, alice, bob, golden, copy_id)
    url = export_and_import(story, alice, carol, golden)
    clean_up(story, alice, golden)
    show_expired_url(story, carol, url)
    story.lineage = cloud.lineage(source["ImageId"])
    return story
