package main

import (
	"context"

	"github.com/spf13/cobra"

	"github.com/packstone/packstone/cmd/internal/machine"
	"github.com/packstone/packstone/cmd/internal/message"
)

type generateOptions struct {
	classic    bool
	passphrase bool
	output     string
}

func newKeyGenerate(a *app) *cobra.Command {
	var o generateOptions
	cmd := described("key-generate", cobra.NoArgs)
	cmd.Flags().BoolVar(&o.classic, "classic", false, "make an X25519 key instead of a hybrid post-quantum one")
	cmd.Flags().BoolVar(&o.passphrase, "passphrase", false, "protect the file with a passphrase, from a prompt or PACKSTONE_PASSPHRASE[_FILE]")
	cmd.Flags().StringVarP(&o.output, "output", "o", "", "write the identity to this `file`")
	return a.verb(cmd, usesDryRun, func(context.Context, []string) error { return a.generateIdentity(o) })
}

func (a *app) generateIdentity(o generateOptions) error {
	path := o.output
	if path == "" {
		path = a.Paths.IdentityFile()
	}
	if a.flags.dryRun {
		a.out.Note("would write a new identity to %s", path)
		return nil
	}
	passphrase, err := a.NewPassphrase(o.passphrase, path)
	if err != nil {
		return err
	}
	recipient, err := machine.GenerateIdentity(path, o.classic, passphrase)
	if err != nil {
		return err
	}
	m := message.Identity{Recipient: recipient, File: path}
	a.out.Note("the identity is in %s: keep two copies, away from the machines that it is to restore", path)
	return a.out.Message("key_generate", m, m.Recipient)
}
