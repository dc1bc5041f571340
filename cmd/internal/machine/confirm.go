package machine

import (
	"bufio"
	"fmt"
	"strings"

	"github.com/packstone/packstone/catalog/entry"
)

// CanAsk reports whether there is a terminal on which to ask.
func (m *Machine) CanAsk() bool {
	_, ok := Terminal(m.Stdin)
	return ok
}

// Confirm prints why, and asks on the terminal whether to continue. Only yes counts as yes.
func (m *Machine) Confirm(why []string) (bool, error) {
	for _, line := range why {
		fmt.Fprintln(m.Stderr, entry.Printable(line)) // it may hold names from outside
	}
	fmt.Fprint(m.Stderr, "go on? [y/N] ")
	answer, err := bufio.NewReader(m.Stdin).ReadString('\n')
	if err != nil && answer == "" {
		return false, fmt.Errorf("ask whether to go on: %w", err)
	}
	switch strings.ToLower(strings.TrimSpace(answer)) {
	case "y", "yes":
		return true, nil
	}
	return false, nil
}
