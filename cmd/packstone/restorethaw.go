package main

import (
	"github.com/spf13/pflag"

	"github.com/packstone/packstone/archive/store"
)

// thawFlags say what to do about packs that the storage has archived.
type thawFlags struct {
	ask  bool
	wait bool
	days int
	tier string
}

var tiers = map[string]store.Tier{"standard": store.Standard, "bulk": store.Bulk, "expedited": store.Expedited}

// thawDays is for how long packs are readable unless a person says otherwise.
const thawDays = 7

func (f *thawFlags) register(flags *pflag.FlagSet) {
	flags.BoolVar(&f.ask, "thaw", false, "ask the storage to thaw packs that it has archived, such as in GLACIER; the storage bills it")
	flags.IntVar(&f.days, "thaw-days", thawDays, "with --thaw, keep them readable for `n` days")
	flags.StringVar(&f.tier, "thaw-tier", "standard", "with --thaw, how fast, and so at what price: the `tier` standard, bulk or expedited")
	flags.BoolVar(&f.wait, "thaw-wait", false, "with --thaw, wait until they are thawed, which takes hours, and restore then")
}

func (f *thawFlags) check() error {
	switch {
	case !f.ask && (f.wait || f.days != thawDays || f.tier != "standard"):
		return usage("--thaw-days, --thaw-tier and --thaw-wait go with --thaw")
	case tiers[f.tier] == "":
		return usage("--thaw-tier %s: want standard, bulk or expedited", f.tier)
	case f.days < 1:
		return usage("--thaw-days %d: want at least 1", f.days)
	}
	return nil
}
