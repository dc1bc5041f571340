package machine

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"os"
	"strings"

	"golang.org/x/term"

	"github.com/packstone/packstone/catalog"
	"github.com/packstone/packstone/catalog/entry"
	"github.com/packstone/packstone/cmd/internal/input"
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
	answer, err := bufio.NewReader(input.Until(m.Done, m.Stdin)).ReadString('\n')
	if err != nil && answer == "" {
		return false, fmt.Errorf("ask whether to go on: %w", err)
	}
	switch strings.ToLower(strings.TrimSpace(answer)) {
	case "y", "yes":
		return true, nil
	}
	return false, nil
}

// Agree asks whether to go on, after it has said why that is to be asked. It fails with
// catalog.ErrRefused unless somebody says yes; where nobody can be asked the error says why, after
// about.
func (m *Machine) Agree(about string, why ...string) error {
	if !m.CanAsk() {
		return catalog.Refuse("%s%s; confirm with --yes", about, strings.Join(why, "; "))
	}
	if ok, err := m.Confirm(why); err != nil || !ok {
		return errors.Join(err, catalog.Refuse("nothing was changed"))
	}
	return nil
}

// readSecret reads a line from a terminal that does not show it. It puts the terminal right if the
// run is interrupted.
func (m *Machine) readSecret(terminal *os.File) (string, error) {
	fd := int(terminal.Fd())
	before, err := term.GetState(fd)
	if err != nil {
		return "", fmt.Errorf("look at the terminal: %w", err)
	}
	type line struct {
		text []byte
		err  error
	}
	came := make(chan line, 1)
	go func() {
		text, err := term.ReadPassword(fd)
		came <- line{text, err}
	}()
	select {
	case l := <-came:
		return string(l.text), l.err
	case <-m.Done:
		return "", errors.Join(context.Canceled, term.Restore(fd, before))
	}
}
