//go:build sabotage

package sabotage

import (
	"fmt"
	"os"
	"slices"
)

// chosen is the act that the environment names.
var chosen = choose(Act(os.Getenv("PACKSTONE_SABOTAGE")))

func choose(act Act) Act {
	if act != "" && !slices.Contains(Acts, act) {
		panic(fmt.Sprintf("PACKSTONE_SABOTAGE: there is no act %q", act))
	}
	return act
}

// Has reports whether an act is to be committed.
func Has(act Act) bool { return act == chosen }
