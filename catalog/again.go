package catalog

import "errors"

// maxAgain bounds how often Again calls.
const maxAgain = 4

// Again calls do, which makes one record in a session of its own, a few times as long as something
// else ends the session first (ErrRestart). It returns the last error.
func Again(do func() error) (err error) {
	for range maxAgain {
		if err = do(); !errors.Is(err, ErrRestart) {
			return err
		}
	}
	return err
}
