package main

import (
	"context"
	"strings"

	"github.com/spf13/cobra"

	"github.com/packstone/packstone/catalog/entry"
	"github.com/packstone/packstone/cmd/internal/machine"
	"github.com/packstone/packstone/cmd/internal/message"
	"github.com/packstone/packstone/cmd/internal/output"
	"github.com/packstone/packstone/pipeline/browse"
)

func newCat(a *app) *cobra.Command {
	cmd := described("cat", cobra.RangeArgs(1, 2))
	return a.verb(cmd, usesRepository|usesIdentity|usesPast|usesVersions|usesSelection|usesPaths, func(ctx context.Context, args []string) error {
		if len(args) == 1 && args[0] != "config" {
			return a.catFile(ctx, args[0])
		}
		needed, ok := catObjects[args[0]]
		if !ok || (len(args) == 1) != (args[0] == "config") {
			return usage("want cat SNAPSHOT:SOURCE/FILE, cat config, or cat with one of snapshot, record, pack, chunk, tree and a name")
		}
		v, err := a.catObject(ctx, needed, args[0], args[len(args)-1])
		if err != nil {
			return err
		}
		return output.WriteJSON(a.stdout, v)
	})
}

// catObjects are what cat prints as JSON, and how the repository is opened for it.
var catObjects = map[string]machine.Access{
	"config": machine.MayRead, "record": machine.MayRead, "pack": machine.MustRead, "chunk": machine.MayRead | machine.MayWrite,
	"snapshot": machine.MustRead, "tree": machine.MustRead,
}

// catObject finds what cat prints as JSON.
func (a *app) catObject(ctx context.Context, needed machine.Access, kind, name string) (any, error) {
	if kind != "snapshot" && kind != "tree" {
		if err := browse.CheckObject(kind, name); err != nil {
			return nil, err
		}
		repo, _, err := a.OpenRepository(ctx, needed)
		if err != nil {
			return nil, err
		}
		return browse.Object(ctx, repo, kind, name)
	}
	if err := checkPlaces(name); err != nil {
		return nil, err
	}
	b, err := a.browse(ctx)
	if err != nil {
		return nil, err
	}
	if kind == "snapshot" {
		s, err := b.Pick(name, a.filter())
		if err != nil {
			return nil, err
		}
		return browse.ContentOf(s)
	}
	at, err := b.find(name)
	if err != nil {
		return nil, err
	}
	if len(at.Sources) != 1 || at.Path != "" {
		return nil, usage("%s is not a source: want SNAPSHOT:SOURCE, of %s", name, strings.Join(at.Snapshot.SourceNames(), ", "))
	}
	return browse.TreeOf(at.Sources[0]), nil
}

// catFile prints the content of a file.
func (a *app) catFile(ctx context.Context, name string) error {
	b, at, err := a.place(ctx, name)
	if err != nil {
		return err
	}
	if at.Path == "" {
		return usage("%s names no file: want SNAPSHOT:SOURCE/FILE", name)
	}
	node, err := b.Node(ctx, at)
	if err != nil {
		return err
	}
	if node.Type != entry.File {
		return exitWith(exitFailed, "%s is not a file but a %s", message.Place(at.Sources[0].Name, at.Path), node.Type.Word())
	}
	return b.Content(ctx, at.Snapshot, node, a.stdout)
}
