package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"os/exec"
	"slices"

	"golang.org/x/term"

	"github.com/packstone/packstone/catalog"
	"github.com/packstone/packstone/cmd/internal/output"
	"github.com/packstone/packstone/crypto"
)

// identities reads the age identities at hand: those that flags name, else the environment's, else the file at the
// usual place. Without any it returns nil.
func (a *app) identities(ctx context.Context) (*crypto.IdentityFile, error) {
	if len(a.flags.identities) > 0 {
		return a.identityFiles(a.flags.identities...)
	}
	text, err := a.identityText(ctx)
	if err != nil {
		return nil, err
	}
	if text != nil {
		return a.parseIdentities("PACKSTONE_IDENTITY", bytes.NewReader(text))
	}
	usual := a.usualIdentities()
	if len(usual) == 0 {
		return nil, nil
	}
	return a.identityFiles(usual...)
}

// namesIdentity tells whether an identity was asked for, rather than found at the usual place.
func (a *app) namesIdentity() bool {
	return len(a.flags.identities) > 0 || a.env["PACKSTONE_IDENTITY"] != "" || a.env["PACKSTONE_IDENTITY_FILE"] != "" ||
		a.env["PACKSTONE_IDENTITY_COMMAND"] != ""
}

// usualIdentities are the identity files at the usual place that are there.
func (a *app) usualIdentities() []string { return present(a.paths.identityFile()) }

// present are those of a usual key file, and of the further ones beside it, that are there.
func present(usual string) []string {
	return slices.DeleteFunc(append([]string{usual}, further(usual)...), func(name string) bool { return !exists(name) })
}

// needIdentities is identities where the work can't be done without.
func (a *app) needIdentities(ctx context.Context) (*crypto.IdentityFile, error) {
	all, err := a.identities(ctx)
	if all == nil && err == nil {
		return nil, fmt.Errorf("%w: name its file with --identity or PACKSTONE_IDENTITY_FILE, or put it at %s",
			catalog.ErrNoIdentity, a.paths.identityFile())
	}
	return all, err
}

// identityText returns what PACKSTONE_IDENTITY or its twins give, nil if none is set.
func (a *app) identityText(ctx context.Context) ([]byte, error) {
	text, err := a.env.orFile("PACKSTONE_IDENTITY")
	if err != nil {
		return nil, err
	}
	a.warnReadable(a.env["PACKSTONE_IDENTITY_FILE"])
	command := a.env["PACKSTONE_IDENTITY_COMMAND"]
	switch {
	case text != "" && command != "":
		return nil, usage("both PACKSTONE_IDENTITY and PACKSTONE_IDENTITY_COMMAND are set; unset one of them")
	case text != "":
		return []byte(text), nil
	case command != "":
		return a.runIdentityCommand(ctx, command)
	}
	return nil, nil
}

// runIdentityCommand lets the shell run a command, which may ask on the terminal, and returns what it prints.
func (a *app) runIdentityCommand(ctx context.Context, command string) ([]byte, error) {
	cmd := exec.CommandContext(ctx, "sh", "-c", command)
	cmd.Stdin, cmd.Stderr, cmd.Env = a.stdin, a.stderr, a.env.forPrograms()
	text, err := cmd.Output()
	if err != nil {
		return nil, exitWith(exitIdentity, "run PACKSTONE_IDENTITY_COMMAND: %w", err)
	}
	return text, nil
}

func (a *app) identityFiles(names ...string) (*crypto.IdentityFile, error) {
	all := new(crypto.IdentityFile)
	for _, name := range names {
		file, err := os.Open(name)
		if err != nil {
			return nil, exitWith(exitIdentity, "open identity: %w", err)
		}
		a.warnReadable(name)
		found, err := a.parseIdentities(name, file)
		file.Close()
		if err != nil {
			return nil, err
		}
		all.Identities = append(all.Identities, found.Identities...)
		all.Owners = append(all.Owners, found.Owners...)
	}
	return all, nil
}

func (a *app) parseIdentities(name string, text io.Reader) (*crypto.IdentityFile, error) {
	found, err := crypto.ParseIdentities(text, a.passphrase(name))
	if err != nil {
		return nil, exitWith(exitIdentity, "identity %s: %w", name, err)
	}
	return found, nil
}

// passphrase says how the passphrase of a protected identity is had: from the environment, or asked for on the terminal. Without both
// it returns nil.
func (a *app) passphrase(what string) func() (string, error) {
	if a.env["PACKSTONE_PASSPHRASE"] != "" || a.env["PACKSTONE_PASSPHRASE_FILE"] != "" {
		return func() (string, error) { return a.env.orFile("PACKSTONE_PASSPHRASE") }
	}
	input, ok := terminal(a.stdin)
	if !ok {
		return nil
	}
	return func() (string, error) {
		fmt.Fprintf(a.stderr, "Passphrase of %s: ", what)
		text, err := term.ReadPassword(int(input.Fd()))
		fmt.Fprintln(a.stderr)
		return string(text), err
	}
}

// writer reads this host's key for a repository: named by the environment or the settings, else at the usual place. Without one it
// returns nil.
func (a *app) writer(repositoryID string) (*crypto.WriterFile, error) {
	name, err := a.writerPath()
	if err != nil {
		return nil, err
	}
	named := name != ""
	if !named {
		name = a.paths.writerFile(repositoryID)
	}
	key, err := readWriter(name)
	if errors.Is(err, fs.ErrNotExist) && !named {
		return nil, nil
	}
	if err != nil {
		return nil, exitWith(exitIdentity, "%w", err)
	}
	a.warnReadable(name)
	return key, nil
}

func readWriter(name string) (*crypto.WriterFile, error) {
	file, err := os.Open(name)
	if err != nil {
		return nil, fmt.Errorf("open this host's key: %w", err)
	}
	defer file.Close()
	key, err := crypto.ParseWriterFile(file)
	if err != nil {
		return nil, fmt.Errorf("read this host's key %s: %w", name, err)
	}
	return key, nil
}

// collector reads the key file of a collector: named by the environment or the settings. Without one it returns nil.
func (a *app) collector() (*crypto.CollectorFile, error) {
	name := a.env["PACKSTONE_COLLECTOR_FILE"]
	if name == "" {
		settings, err := a.settings()
		if err != nil {
			return nil, err
		}
		name = settings.Keys.CollectorFile
	}
	if name == "" {
		return nil, nil
	}
	file, err := os.Open(name)
	if err != nil {
		return nil, exitWith(exitIdentity, "open the collector's key: %w", err)
	}
	defer file.Close()
	key, err := crypto.ParseCollectorFile(file)
	if err != nil {
		return nil, exitWith(exitIdentity, "read the collector's key %s: %w", name, err)
	}
	a.warnReadable(name)
	return key, nil
}

// warnReadable tells that others than its owner can read a file with a secret key.
func (a *app) warnReadable(name string) {
	info, err := os.Stat(name)
	if err != nil || !info.Mode().IsRegular() || info.Mode().Perm()&0o077 == 0 || a.readable[name] {
		return
	}
	a.readable[name] = true
	a.out.Warn(output.Warning{Message: fmt.Sprintf("others than its owner can read the key file %s (mode %04o): run chmod 600 %s",
		name, info.Mode().Perm(), name)})
}

// writerPath is where the environment or the settings say that this host's key is.
func (a *app) writerPath() (string, error) {
	if name := a.env["PACKSTONE_WRITER_FILE"]; name != "" {
		return name, nil
	}
	settings, err := a.settings()
	if err != nil {
		return "", err
	}
	return settings.Keys.WriterFile, nil
}
