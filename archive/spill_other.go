//go:build !linux

package archive

import "errors"

// spillFile is not implemented on this system: packs wait in memory.
type spillFile struct{ kind spillKind }

func newSpillFile(spillKind) (*spillFile, error) { return nil, errors.ErrUnsupported }

func (*spillFile) write([]byte) ([]byte, error) { return nil, errors.ErrUnsupported }

func (*spillFile) shrink() {}

func (*spillFile) empty() {}
