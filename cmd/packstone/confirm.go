package main

import (
	"bufio"
	"fmt"
	"strings"

	"github.com/packstone/packstone/cmd/internal/machine"
	"github.com/packstone/packstone/cmd/internal/output"
)

// canAsk tells whether somebody is there to answer.
func (a *app) canAsk() bool {
	_, ok := machine.Terminal(a.stdin)
	return ok
}

// confirm says why and asks on the terminal whether to go on. Only yes is yes.
func (a *app) confirm(why []string) (bool, error) {
	for _, line := range why {
		fmt.Fprintln(a.stderr, output.Name(line)) // it may hold names from outside
	}
	fmt.Fprint(a.stderr, "go on? [y/N] ")
	answer, err := bufio.NewReader(a.stdin).ReadString('\n')
	if err != nil && answer == "" {
		return false, fmt.Errorf("ask whether to go on: %w", err)
	}
	switch strings.ToLower(strings.TrimSpace(answer)) {
	case "y", "yes":
		return true, nil
	}
	return false, nil
}
