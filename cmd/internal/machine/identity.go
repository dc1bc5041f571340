package machine

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"time"

	"filippo.io/age"

	"github.com/packstone/packstone/catalog"
	"github.com/packstone/packstone/catalog/admin"
	"github.com/packstone/packstone/crypto"
)

// Hold makes these identities those at hand, whatever flags, environment and settings say: somebody
// has handed them over in memory.
func (m *Machine) Hold(identities *crypto.IdentityFile) { m.held = identities }

// Identities reads the age identities at hand: those that flags name, else those of the
// environment, else those of the settings, else the file at the usual place. It returns nil if
// there are none.
func (m *Machine) Identities(ctx context.Context) (*crypto.IdentityFile, error) {
	if m.held != nil {
		return m.held, nil
	}
	if len(m.Flags.Identities) > 0 {
		return m.identityFiles(m.Flags.Identities...)
	}
	text, err := m.identityText(ctx)
	if err != nil {
		return nil, err
	}
	if text != nil {
		return m.parseIdentities("PACKSTONE_IDENTITY", bytes.NewReader(text))
	}
	keys, err := m.keysOfSettings()
	if err != nil {
		return nil, err
	}
	files := m.UsualIdentities()
	if keys.IdentityFile != "" {
		files = []string{keys.IdentityFile}
	}
	if len(files) == 0 {
		return nil, nil
	}
	return m.identityFiles(files...)
}

// NamesIdentity reports whether an identity was named, rather than found at the usual place.
func (m *Machine) NamesIdentity() bool {
	keys, err := m.keysOfSettings()
	return m.held != nil || len(m.Flags.Identities) > 0 || m.Env["PACKSTONE_IDENTITY"] != "" || m.Env["PACKSTONE_IDENTITY_FILE"] != "" ||
		m.Env["PACKSTONE_IDENTITY_COMMAND"] != "" || err == nil && keys.IdentityFile != ""
}

// UsualIdentities returns the identity files that exist at the usual place.
func (m *Machine) UsualIdentities() []string { return present(m.Paths.IdentityFile()) }

// PublicKeys returns the public keys of the identities at hand.
func (m *Machine) PublicKeys(ctx context.Context) ([]string, error) {
	file, err := m.Identities(ctx)
	if err != nil || file == nil {
		return nil, err
	}
	return admin.PublicKeys(file.Identities)
}

// NeedIdentities is Identities for work that is impossible without an identity.
func (m *Machine) NeedIdentities(ctx context.Context) (*crypto.IdentityFile, error) {
	all, err := m.Identities(ctx)
	if all == nil && err == nil {
		flag, variable := "--identity", "PACKSTONE_IDENTITY_FILE"
		if m.isOther {
			flag, variable = "--from-identity", otherPrefix+"IDENTITY_FILE"
		}
		return nil, fmt.Errorf("%w: name its file with %s or %s, or put it at %s", catalog.ErrNoIdentity, flag, variable, m.Paths.IdentityFile())
	}
	return all, err
}

// identityText returns the content of PACKSTONE_IDENTITY or its variants, nil if none is set.
func (m *Machine) identityText(ctx context.Context) ([]byte, error) {
	text, err := m.Env.OrFile(m.Done, "PACKSTONE_IDENTITY")
	if err != nil {
		return nil, err
	}
	m.warnReadable(m.Env["PACKSTONE_IDENTITY_FILE"])
	command := m.Env["PACKSTONE_IDENTITY_COMMAND"]
	switch {
	case text != "" && command != "":
		return nil, catalog.Misuse("both PACKSTONE_IDENTITY and PACKSTONE_IDENTITY_COMMAND are set; unset one of them")
	case text != "":
		return []byte(text), nil
	case command != "":
		return m.runIdentityCommand(ctx, command)
	}
	return nil, nil
}

// runIdentityCommand runs a command in a shell and returns its output. The command may ask on the
// terminal.
func (m *Machine) runIdentityCommand(ctx context.Context, command string) ([]byte, error) {
	cmd := exec.CommandContext(ctx, "sh", "-c", command)
	cmd.Stdin, cmd.Stderr, cmd.Env = m.Stdin, m.Stderr, m.Env.ForPrograms()
	text, err := cmd.Output()
	if err != nil {
		return nil, unusable("run PACKSTONE_IDENTITY_COMMAND: %w", err)
	}
	return text, nil
}

func (m *Machine) identityFiles(names ...string) (*crypto.IdentityFile, error) {
	all := new(crypto.IdentityFile)
	for _, name := range names {
		file, err := m.openFile(name)
		if err != nil {
			return nil, unusable("open identity: %w", err)
		}
		m.warnReadable(name)
		found, err := m.parseIdentities(name, file)
		file.Close()
		if err != nil {
			return nil, err
		}
		all.Identities = append(all.Identities, found.Identities...)
		all.Owners = append(all.Owners, found.Owners...)
	}
	return all, nil
}

func (m *Machine) parseIdentities(name string, text io.Reader) (*crypto.IdentityFile, error) {
	var read bytes.Buffer
	found, err := crypto.ParseIdentities(io.TeeReader(text, &read), m.passphrase(name))
	switch {
	case err != nil && isSheet.Match(read.Bytes()):
		return nil, unusable("identity %s: it is a recovery sheet, or a share of one: write the identity to a file with packstone key sheet --verify, or of shares with packstone key join", name)
	case err != nil:
		return nil, unusable("identity %s: %w", name, err)
	}
	return found, nil
}

// isSheet recognizes a recovery sheet, its mark or its title.
var isSheet = regexp.MustCompile(`(?i)packstone (recovery )?sheet|packstone share \d`)

// passphrase returns a function that gets the passphrase of a protected identity: from the
// environment, or by asking on the terminal. It returns nil if neither is possible.
func (m *Machine) passphrase(what string) func() (string, error) {
	if m.Env["PACKSTONE_PASSPHRASE"] != "" || m.Env["PACKSTONE_PASSPHRASE_FILE"] != "" {
		return func() (string, error) { return m.Env.OrFile(m.Done, "PACKSTONE_PASSPHRASE") }
	}
	input, ok := Terminal(m.Stdin)
	if !ok {
		return nil
	}
	return func() (string, error) {
		fmt.Fprintf(m.Stderr, "Passphrase of %s: ", what)
		text, err := m.readSecret(input)
		fmt.Fprintln(m.Stderr)
		return text, err
	}
}

// NamedRecipients returns the recipients in flags, else in PACKSTONE_RECIPIENTS_FILE, else in the
// settings.
func (m *Machine) NamedRecipients() ([]age.Recipient, error) {
	texts := m.Flags.Recipients
	if path := m.Env["PACKSTONE_RECIPIENTS_FILE"]; len(texts) == 0 && path != "" {
		file, err := m.openFile(path)
		if err != nil {
			return nil, fmt.Errorf("read PACKSTONE_RECIPIENTS_FILE: %w", err)
		}
		defer file.Close()
		return crypto.ParseRecipients(file)
	}
	if len(texts) == 0 {
		keys, err := m.keysOfSettings()
		if err != nil {
			return nil, err
		}
		texts = keys.Recipients
	}
	var recipients []age.Recipient
	for _, text := range texts {
		named, err := m.recipientOrFile(text)
		if err != nil {
			return nil, catalog.Misuse("recipient: %w", err)
		}
		recipients = append(recipients, named...)
	}
	return recipients, nil
}

// recipientOrFile parses a recipient, or reads a file of recipients, like age -R.
func (m *Machine) recipientOrFile(text string) ([]age.Recipient, error) {
	r, err := crypto.ParseRecipient(text)
	if err == nil {
		return []age.Recipient{r}, nil
	}
	file, openErr := m.openFile(text)
	if errors.Is(openErr, fs.ErrNotExist) {
		return nil, fmt.Errorf("%w, and there is no file of that name", err)
	}
	if openErr != nil {
		return nil, openErr
	}
	defer file.Close()
	named, err := crypto.ParseRecipients(file)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", text, err)
	}
	return named, nil
}

// MakeIdentity makes an identity, and returns its recipient and its file.
func (m *Machine) MakeIdentity(classic bool) ([]age.Recipient, string, error) {
	identity, err := crypto.GenerateIdentity(classic)
	if err != nil {
		return nil, "", err
	}
	recipients, err := admin.RecipientsOf([]age.Identity{identity})
	if err != nil {
		return nil, "", err
	}
	public, err := crypto.RecipientText(recipients[0])
	if err != nil {
		return nil, "", err
	}
	path := m.Paths.NewKeyFile(m.Paths.IdentityFile(), public)
	if path != m.Paths.IdentityFile() {
		m.Warn("keys were made here before and moved away; these are new ones, with other file names. " +
			"To keep the same identity, name its recipient with --recipient")
	}
	return recipients, path, writeIdentity(path, identity, madeIdentity, "")
}

// The comments in new identity files: for one that was requested, and for one that the user may not
// know of.
const (
	anIdentity   = "packstone identity: it restores everything that was sealed to it."
	madeIdentity = anIdentity + " Keep two copies, away from the machines that it is to restore."
)

// GenerateIdentity makes an identity in a file, protected by the passphrase unless that is empty,
// and returns its recipient.
func GenerateIdentity(path string, classic bool, passphrase string) (recipient string, err error) {
	identity, err := crypto.GenerateIdentity(classic)
	if err != nil {
		return "", err
	}
	r, err := crypto.RecipientOf(identity)
	if err != nil {
		return "", err
	}
	if recipient, err = crypto.RecipientText(r); err != nil {
		return "", err
	}
	return recipient, writeIdentity(path, identity, anIdentity, passphrase)
}

func writeIdentity(path string, identity age.Identity, comment, passphrase string) error {
	var text bytes.Buffer
	err := crypto.WriteIdentityFile(&text, crypto.IdentityFile{Identities: []age.Identity{identity}}, crypto.IdentityFileOptions{
		Comments: []string{comment}, Created: time.Now(), Passphrase: passphrase,
	})
	if err != nil {
		return err
	}
	return WriteKey(path, text.Bytes())
}

// NewPassphrase returns the passphrase for a new file, from the environment or entered twice on the
// terminal; "" if none is wanted.
func (m *Machine) NewPassphrase(wanted bool, path string) (string, error) {
	if !wanted {
		return "", nil
	}
	text, err := m.Env.OrFile(m.Done, "PACKSTONE_PASSPHRASE")
	if text != "" || err != nil {
		return text, err
	}
	input, ok := Terminal(m.Stdin)
	if !ok {
		return "", catalog.Misuse("--passphrase: set PACKSTONE_PASSPHRASE_FILE, since there is no terminal to ask on")
	}
	var texts [2]string
	for i, prompt := range []string{"Passphrase for %s: ", "Once more for %s: "} {
		fmt.Fprintf(m.Stderr, prompt, path)
		read, err := m.readSecret(input)
		fmt.Fprintln(m.Stderr)
		if err != nil {
			return "", fmt.Errorf("ask for the passphrase: %w", err)
		}
		texts[i] = strings.TrimRight(read, "\r\n")
	}
	if texts[0] == "" || texts[0] != texts[1] {
		return "", catalog.Misuse("the passphrase is empty, or the two entries differ")
	}
	return texts[0], nil
}

// IdentityPlace is where identities come from.
type IdentityPlace struct {
	File string // "": no file
	What string // how a person knows it
}

// IdentityPlaces returns the places from which the identities at hand are read.
func (m *Machine) IdentityPlaces() []IdentityPlace {
	files := m.Flags.Identities
	switch {
	case len(files) > 0:
	case m.Env["PACKSTONE_IDENTITY"] != "":
		return []IdentityPlace{{What: "the text in PACKSTONE_IDENTITY"}}
	case m.Env["PACKSTONE_IDENTITY_COMMAND"] != "":
		return []IdentityPlace{{What: "what PACKSTONE_IDENTITY_COMMAND prints"}}
	case m.Env["PACKSTONE_IDENTITY_FILE"] != "":
		files = []string{m.Env["PACKSTONE_IDENTITY_FILE"]}
	default:
		files = m.UsualIdentities()
		if keys, err := m.keysOfSettings(); err == nil && keys.IdentityFile != "" {
			files = []string{keys.IdentityFile}
		}
	}
	var places []IdentityPlace
	for _, file := range files {
		places = append(places, IdentityPlace{File: file, What: file})
	}
	return places
}

// PinOwner adds the owner of a new repository to the identity files at hand that open it. It
// returns the identities for which the user must do that.
func (m *Machine) PinOwner(places []IdentityPlace, recipients []string, pin crypto.OwnerPin) (left []string) {
	missing := slices.Clone(recipients)
	for _, place := range places {
		public, err := addPin(place.File, recipients, pin)
		if err != nil {
			left = append(left, place.What)
			continue
		}
		missing = slices.DeleteFunc(missing, func(r string) bool { return slices.Contains(public, r) })
	}
	if len(missing) == 0 {
		return nil
	}
	if named, err := m.NamedRecipients(); err == nil && len(named) == 0 {
		return left // they are the identities at hand
	}
	for i, recipient := range missing {
		missing[i] = "the identity file of " + admin.ShortRecipient(recipient)
	}
	return missing
}

// addPin adds a pin to an identity file that opens what is sealed to one of recipients, and returns
// the recipients that it opens. It fails if the file does not exist, is protected by a passphrase,
// or is not writable.
func addPin(path string, recipients []string, pin crypto.OwnerPin) ([]string, error) {
	path, err := filepath.EvalSymlinks(path)
	if err != nil {
		return nil, err
	}
	text, err := os.ReadFile(path)
	if err != nil {
		return nil, err
	}
	found, err := crypto.ParseIdentities(bytes.NewReader(text), nil)
	if err != nil {
		return nil, err
	}
	public, err := admin.PublicKeys(found.Identities)
	if err != nil {
		return nil, err
	}
	public = slices.DeleteFunc(public, func(r string) bool { return !slices.Contains(recipients, r) })
	if len(public) == 0 {
		return nil, nil
	}
	return public, replaceKey(path, append([]byte(pin.Line()+"\n"), text...))
}
