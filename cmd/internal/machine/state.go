package machine

import (
	"crypto/sha256"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/packstone/packstone/cmd/internal/config"
)

// StateRoot returns the directory for the history of jobs. Unlike a cache, that cannot be rebuilt.
func (m *Machine) StateRoot() string {
	if dir := m.Env["PACKSTONE_STATE_DIR"]; dir != "" {
		return dir
	}
	if dir, _, _ := strings.Cut(m.Env["STATE_DIRECTORY"], ":"); dir != "" { // of a systemd service
		return dir
	}
	return m.Paths.State
}

// RestoreReports returns the directory of the reports of restores of whole platforms.
func (m *Machine) RestoreReports() string { return filepath.Join(m.StateRoot(), "restores") }

// HistoryPath returns the path of the history for the jobs of a settings file.
func (m *Machine) HistoryPath(settings string) string {
	if absolute, err := filepath.Abs(settings); err == nil {
		settings = absolute
	}
	return filepath.Join(m.StateRoot(), fmt.Sprintf("history-%.8x.db", sha256.Sum256([]byte(settings))))
}

// Adopt sets settings that were read already.
func (m *Machine) Adopt(settings *config.Config) { m.settings = settings }

// CheckJobs returns jobs for which a key is missing, as problems of the settings.
func (m *Machine) CheckJobs(settings *config.Config) error {
	m.Adopt(settings)
	own := m.Flags.Repository
	defer func() { m.Flags.Repository = own }()
	var problems config.Problems
	for _, name := range m.RepositoriesOf(settings) {
		m.Flags.Repository = name
		found, err := m.missingKeys(settings, name)
		if err != nil {
			return err
		}
		problems = append(problems, found...)
	}
	m.Flags.Repository = own
	found, err := m.missingReader(settings)
	if problems = append(problems, found...); err != nil {
		return err
	}
	problems = append(problems, m.missingDriller(settings)...)
	if len(problems) > 0 {
		return problems
	}
	return nil
}

// RepositoriesOf returns the names of the repositories that jobs use; only that of the flag if it
// is set, or if the settings have no names.
func (m *Machine) RepositoriesOf(settings *config.Config) []string {
	if m.RepositoryIsNamed() || len(settings.Repositories) == 0 {
		return []string{m.Flags.Repository}
	}
	return settings.RepositoryNames()
}

// missingKeys returns which jobs lack a key for a repository; "" is the name of the only one.
func (m *Machine) missingKeys(settings *config.Config, repository string) (problems config.Problems, err error) {
	of := ""
	if repository != "" {
		of = " for " + repository
	}
	what, err := m.missingWriter()
	if err != nil {
		return nil, err
	}
	drilled := settings.Sets[settings.Jobs.Drill.Set]
	if what != "" && settings.Jobs.Drill.Scheduled() && drilled.GoesTo(repository) {
		problems = append(problems, settings.ProblemAt("jobs.drill", "it needs this host's key%s, to sign its report: %s", of, what))
	}
	if job := settings.Jobs.Copy; what != "" && job.Scheduled() && slices.Contains(job.Targets(), repository) {
		problems = append(problems, settings.ProblemAt("jobs.copy", "it needs this host's key%s: %s", of, what))
	}
	for _, name := range settings.SetNames() {
		if set := settings.Sets[name]; what != "" && set.Scheduled() && set.GoesTo(repository) {
			problems = append(problems, settings.ProblemAt("sets."+name+".schedule", "a backup needs this host's key%s: %s", of, what))
		}
	}
	if what, err = m.missingDecider(); err != nil {
		return nil, err
	}
	for _, job := range []struct {
		path      string
		scheduled bool
	}{{"jobs.forget", settings.Jobs.Forget.Scheduled()}, {"jobs.prune", settings.Jobs.Prune.Scheduled()}} {
		if what != "" && job.scheduled {
			problems = append(problems, settings.ProblemAt(job.path, "it needs the key of a collector, or the owner's%s: %s", of, what))
		}
	}
	return problems, nil
}

// missingDriller says that what is to be drilled cannot be read.
func (m *Machine) missingDriller(settings *config.Config) config.Problems {
	if !settings.Jobs.Drill.Scheduled() || m.NamesIdentity() || len(m.UsualIdentities()) > 0 {
		return nil
	}
	return config.Problems{settings.ProblemAt("jobs.drill", "it needs an identity, to restore: name its file as keys.identity_file, or put it at %s", m.Paths.IdentityFile())}
}

// missingReader returns problems if the repository to copy from cannot be read.
func (m *Machine) missingReader(settings *config.Config) (config.Problems, error) {
	job := settings.Jobs.Copy
	if !job.Scheduled() {
		return nil, nil
	}
	other := m.Other(From{Repository: job.From})
	keys, err := other.keysOfSettings()
	if err != nil {
		return nil, err
	}
	what := ""
	switch {
	case keys.IdentityFile != "" && len(m.Flags.Identities) == 0:
		what = missingFile(keys.IdentityFile, "it is the identity of who may restore")
	case !other.NamesIdentity() && len(other.UsualIdentities()) == 0:
		what = fmt.Sprintf("name its file as keys.identity_file, or put it at %s", m.Paths.IdentityFile())
	}
	if what == "" {
		return nil, nil
	}
	return config.Problems{settings.ProblemAt("jobs.copy", "it needs an identity that reads %s: %s", job.From, what)}, nil
}

// missingWriter says why no backup is possible here, "" if nothing is known to prevent it.
func (m *Machine) missingWriter() (string, error) {
	name, err := m.WriterPath()
	if err != nil {
		return "", err
	}
	if name != "" {
		return missingFile(name, "packstone key writer add makes one"), nil
	}
	kept, err := filepath.Glob(filepath.Join(m.Paths.Config, "writers", "*.key"))
	if err == nil && len(kept) == 0 {
		return "there is none yet; packstone init makes one with a repository, packstone key writer add one for a repository that is there (keys.writer_file)", nil
	}
	return "", nil
}

// missingDecider says why nothing can be forgotten or deleted here, "" if nothing is known to
// prevent it.
func (m *Machine) missingDecider() (string, error) {
	name, err := m.collectorPath()
	if err != nil {
		return "", err
	}
	if name != "" {
		return missingFile(name, "packstone key collector add makes one"), nil
	}
	if len(m.OwnerFiles()) == 0 {
		return fmt.Sprintf("packstone key collector add makes one for keys.collector_file; there is no %s either", m.OwnerPath()), nil
	}
	return "", nil
}

func missingFile(name, cure string) string {
	if _, err := os.Stat(name); err != nil {
		return fmt.Sprintf("%v; %s", err, cure)
	}
	return ""
}

// CanDecide reports whether a key here may forget and delete.
func (m *Machine) CanDecide() bool {
	what, err := m.missingDecider()
	return err == nil && what == ""
}

// JobHost returns the host of this machine's jobs, as far as it is known before the repository is
// opened.
func (m *Machine) JobHost() (string, error) {
	host, err := m.NamedHost()
	if host != "" || err != nil {
		return host, err
	}
	name, err := m.WriterPath()
	if err != nil {
		return "", err
	}
	if kept, err := filepath.Glob(filepath.Join(m.Paths.Config, "writers", "*.key")); name == "" && err == nil && len(kept) == 1 {
		name = kept[0]
	}
	if key, err := m.readWriter(name); err == nil {
		return key.Signer.Name(), nil
	}
	return Name(), nil
}
