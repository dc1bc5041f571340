package machine

import (
	"context"
	"os/user"
	"path/filepath"

	"github.com/packstone/packstone/cmd/internal/config"
)

// usualKeys are the files in which OpenSSH looks for private keys.
var usualKeys = []string{"id_ed25519", "id_ecdsa", "id_rsa"}

// RemoteLogin returns how the environment says to log in to file servers.
func (m *Machine) RemoteLogin() config.RemoteLogin {
	ssh := filepath.Join(m.Env["HOME"], ".ssh")
	login := config.RemoteLogin{
		User: UserName(), CAFile: m.Env["PACKSTONE_REMOTE_CA_FILE"], KnownHosts: []string{filepath.Join(ssh, "known_hosts")},
		Password: m.secret("PACKSTONE_REMOTE_PASSWORD"), Passphrase: m.secret("PACKSTONE_REMOTE_PASSPHRASE"), Agent: m.Env["SSH_AUTH_SOCK"],
	}
	if file := m.Env["PACKSTONE_REMOTE_KNOWN_HOSTS"]; file != "" {
		login.KnownHosts = []string{file}
	}
	if file := m.Env["PACKSTONE_REMOTE_KEY_FILE"]; file != "" {
		login.Agent, login.Keys = "", []config.SSHKey{{File: file, Passphrase: login.Passphrase}}
		return login
	}
	for _, name := range usualKeys {
		if file := filepath.Join(ssh, name); config.Exists(file) {
			login.Keys = append(login.Keys, config.SSHKey{File: file, Passphrase: login.Passphrase, Optional: true})
		}
	}
	return login
}

// secret returns a function that reads a secret from the environment when it is needed; nil if
// there is none.
func (m *Machine) secret(name string) func(context.Context) (string, error) {
	if m.Env[name] == "" && m.Env[name+"_FILE"] == "" {
		return nil
	}
	return func(context.Context) (string, error) { return m.Env.OrFile(m.Done, name) }
}

// UserName returns the name of the user who runs the program, "" if unknown.
func UserName() string {
	u, err := user.Current()
	if err != nil {
		return ""
	}
	return u.Username
}
