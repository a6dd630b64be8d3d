"""What Bifrost does around a provider: targets, attempts, and what it makes of the outcome. Pure; time is scripted."""
