"""The way back: find members, thaw their packs, fetch originals, put them where they were."""
