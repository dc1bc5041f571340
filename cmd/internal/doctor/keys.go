package doctor

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"slices"
	"strings"

	"github.com/packstone/packstone/catalog"
	"github.com/packstone/packstone/catalog/admin"
	"github.com/packstone/packstone/cmd/internal/machine"
	"github.com/packstone/packstone/cmd/internal/output"
	"github.com/packstone/packstone/crypto"
)

// Keys checks what the keys at hand can do, and whether they are stored safely.
func (x *Examination) Keys(ctx context.Context, m *machine.Machine, repo *catalog.Repository) {
	var canRead, canWrite, canOwn bool
	x.Examine("identity", func() (detail string, err error) {
		canRead, detail, err = examineIdentity(ctx, m, repo)
		return detail, err
	})
	x.Examine("writer's key", func() (string, error) {
		_, err := repo.Writer()
		if errors.Is(err, catalog.ErrNoWriter) {
			return "none: this machine can't back up", nil
		}
		canWrite = err == nil
		return "backs up", err
	})
	x.Examine("owner's key", func() (string, error) {
		if len(m.OwnerFiles()) == 0 {
			return "none: this machine can't admit or revoke", nil
		}
		_, err := m.Owner(repo)
		canOwn = err == nil
		return "admits and revokes", err
	})
	x.Examine("where keys lie", func() (string, error) {
		if canWrite && (canRead || canOwn) {
			return "", Advise("this machine backs up and holds %s too: who breaks in could %s; move it away, and keep a second copy",
				strings.Join(held(canRead, canOwn, "an identity", "the owner's key"), " and "),
				strings.Join(held(canRead, canOwn, "read every backup", "admit others"), " and "))
		}
		return "apart", nil
	})
	x.Examine("key files", func() (string, error) { return examineKeyFiles(m, repo.Format.Repository) })
}

func held(read, own bool, ifRead, ifOwn string) (list []string) {
	if read {
		list = append(list, ifRead)
	}
	if own {
		list = append(list, ifOwn)
	}
	return list
}

func examineIdentity(ctx context.Context, m *machine.Machine, repo *catalog.Repository) (bool, string, error) {
	file, err := m.Identities(ctx)
	if err != nil {
		return false, "", err
	}
	if file == nil {
		return false, "none: this machine can't restore", nil
	}
	here, err := admin.PublicKeys(file.Identities)
	if err != nil {
		return false, "", err
	}
	if !slices.ContainsFunc(here, func(r string) bool { return slices.Contains(repo.Config.Recipients, r) }) {
		return false, "", fmt.Errorf("the identity is not one of the repository's %s: %w", output.Plural(len(repo.Config.Recipients), "recipient"), crypto.ErrWrongIdentity)
	}
	if !admin.Pins(file, repo) {
		return true, "restores", Advise("it does not say who owns the repository, so that another machine asks for --accept-owner; "+
			"put this line into its file: %s", admin.PinOf(repo).Line())
	}
	return true, "restores", nil
}

// examineKeyFiles finds key files that other users of this machine can read.
func examineKeyFiles(m *machine.Machine, repository string) (string, error) {
	writer, err := m.WriterPath()
	if err != nil {
		return "", err
	}
	if writer == "" {
		writer = m.Paths.WriterFile(repository)
	}
	files := slices.Concat([]string{writer, m.Env["PACKSTONE_IDENTITY_FILE"]}, m.OwnerFiles(), m.UsualIdentities(), m.Flags.Identities)
	var open []string
	there := 0
	for _, name := range files {
		info, err := os.Stat(name)
		if name == "" || errors.Is(err, fs.ErrNotExist) {
			continue
		}
		if err != nil {
			return "", fmt.Errorf("look at key files: %w", err)
		}
		there++
		if info.Mode().Perm()&0o077 != 0 {
			open = append(open, name)
		}
	}
	if len(open) > 0 {
		return "", Advise("others can read %s: chmod 600 cures it", strings.Join(open, " and "))
	}
	return fmt.Sprintf("%d, readable only by their owner", there), nil
}
