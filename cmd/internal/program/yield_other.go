//go:build !linux

package program

import "errors"

// Yield fails: lowering the priority is supported on Linux only.
func Yield(nice int, ionice string) error {
	if nice == 0 && ionice == "" {
		return nil
	}
	return errors.New("nice and ionice are not known here, and have no effect: start packstone run with nice(1)")
}
