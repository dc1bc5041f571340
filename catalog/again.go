package catalog

import "errors"

// maxAgain bounds how often Again calls.
const maxAgain = 4

// Again calls do, which writes one record in a session of its own, up to maxAgain times while it
// fails with ErrRestart: something else ended the session first. It returns the last error.
func Again(do func() error) (err error) {
	for range maxAgain {
		if err = do(); !errors.Is(err, ErrRestart) {
			return err
		}
	}
	return err
}
