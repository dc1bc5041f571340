package main

import (
	"github.com/packstone/packstone/cmd/internal/machine"
	"github.com/packstone/packstone/cmd/internal/output"
)

// ownFiles are packstone's own files on this machine, which no backup takes.
func (a *app) ownFiles() (*machine.OwnFiles, error) {
	repository, err := a.repository()
	return a.OwnFiles(a.cacheRoot(), repository), err
}

// tellLeftOut says once that something was left out. It may be called by several goroutines at once.
func (a *app) tellLeftOut(own *machine.OwnFiles) func(path string) {
	return func(path string) {
		found := own.Once(path)
		switch {
		case found == nil: // it was told, or has gone since
		case found.Secret:
			a.out.Warn(output.Warning{Item: output.Name(path), Message: "left out: it is an identity, without which nothing of this backup comes back: keep it somewhere else"})
		default:
			a.out.Note("%s is left out: it is %s", output.Name(path), found.What)
		}
	}
}
