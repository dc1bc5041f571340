// Package machine provides what the program needs from its machine: the environment, the usual
// places of files, keys, and logins to other systems. Secrets come from files, variables and
// commands, never from the command line.
package machine

import (
	"errors"
	"fmt"
	"io"
	"os"
	"time"

	"golang.org/x/term"

	"github.com/packstone/packstone/cmd/internal/config"
	"github.com/packstone/packstone/cmd/internal/input"
	"github.com/packstone/packstone/crypto"
)

// ErrKey: a required key is missing, or cannot be read.
var ErrKey = errors.New("no key")

// Machine is this machine, as seen by one run of the program.
type Machine struct {
	Env    Env
	Paths  Paths
	Flags  *Flags
	Stdin  io.Reader // a passphrase is asked for if it is a terminal
	Stderr io.Writer
	// Done ends reading of what is handed to the program when it is closed; nil: nothing does.
	Done <-chan struct{}
	// Warn is called with what is unsafe, Note with what is merely worth knowing.
	Warn func(text string)
	Note func(format string, args ...any)
	// Reach returns how to access the storage of a repository, apart from logins.
	Reach func(at config.Repository) config.StoreOptions
	// Software is named in records.
	Software string
	// Set is the set that the run is about: if no repository is named, the first one to which the
	// set goes is used.
	Set string

	held          *crypto.IdentityFile // see Hold
	isOther       bool                 // see Other
	ownBucketKeys bool                 // PACKSTONE_S3_* are of this repository alone, and good for s3:// too

	settings *config.Config  // as soon as they were read
	borrowed string          // a directory for caches that is removed at the end; "": none
	cache    string          // of the repository that was opened last; empty: none
	logins   oneLogin        // of PACKSTONE_DB_PASSWORD
	readable map[string]bool // key files that others can read, of which a warning was given
}

// Flags are the command-line flags about places, keys and trust.
type Flags struct {
	Config, Repository, CacheDir string // where they are; "": elsewhere
	Identities, Recipients       []string
	AcceptOwner                  []crypto.Fingerprint // whom alone to trust
	CACert                       string               // a file with certificates to trust for buckets; "": as the environment says
	InsecureTLS                  bool                 // take any certificate of a bucket's server
	AcceptRollback               bool                 // take what there is, where the repository has lost something
	VersionsAt                   time.Time            // read the versions of the repository's objects that a bucket had then; zero: as they are
}

// New returns a Machine with this environment.
func New(env Env) *Machine {
	return &Machine{Env: env, Paths: env.Paths(), readable: map[string]bool{}}
}

// openFile opens a file that a person has named, and which may be a pipe.
func (m *Machine) openFile(name string) (*input.File, error) { return input.Open(m.Done, name) }

// Terminal returns the file behind a stream if it is a terminal.
func Terminal(stream any) (*os.File, bool) {
	file, ok := stream.(*os.File)
	return file, ok && term.IsTerminal(int(file.Fd()))
}

// Width returns how many columns a terminal has; 80 if it does not say.
func Width(terminal *os.File) int {
	if columns, _, err := term.GetSize(int(terminal.Fd())); err == nil && columns > 0 {
		return columns
	}
	return 80
}

// keyError is an ErrKey whose text is the given one alone.
type keyError struct{ error }

// Unwrap returns ErrKey, and the error behind the text.
func (e keyError) Unwrap() []error { return []error{ErrKey, e.error} }

func unusable(format string, args ...any) error { return keyError{fmt.Errorf(format, args...)} }
