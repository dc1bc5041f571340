package main

import (
	"context"
	"path/filepath"

	"github.com/packstone/packstone/cmd/internal/config"
)

// usualKeys are the files in which OpenSSH looks for private keys.
var usualKeys = []string{"id_ed25519", "id_ecdsa", "id_rsa"}

// remoteLogin is what the environment knows of logging in to servers of files.
func (a *app) remoteLogin() config.RemoteLogin {
	ssh := filepath.Join(a.env["HOME"], ".ssh")
	login := config.RemoteLogin{
		User: userName(), CAFile: a.env["PACKSTONE_REMOTE_CA_FILE"], KnownHosts: []string{filepath.Join(ssh, "known_hosts")},
		Password: a.secret("PACKSTONE_REMOTE_PASSWORD"), Passphrase: a.secret("PACKSTONE_REMOTE_PASSPHRASE"), Agent: a.env["SSH_AUTH_SOCK"],
	}
	if file := a.env["PACKSTONE_REMOTE_KNOWN_HOSTS"]; file != "" {
		login.KnownHosts = []string{file}
	}
	if file := a.env["PACKSTONE_REMOTE_KEY_FILE"]; file != "" {
		login.Agent, login.Keys = "", []config.SSHKey{{File: file, Passphrase: login.Passphrase}}
		return login
	}
	for _, name := range usualKeys {
		if file := filepath.Join(ssh, name); exists(file) {
			login.Keys = append(login.Keys, config.SSHKey{File: file, Passphrase: login.Passphrase, Optional: true})
		}
	}
	return login
}

// secret asks the environment for a secret when it is needed; nil if there is none.
func (a *app) secret(name string) func(context.Context) (string, error) {
	if a.env[name] == "" && a.env[name+"_FILE"] == "" {
		return nil
	}
	return func(context.Context) (string, error) { return a.env.orFile(name) }
}
