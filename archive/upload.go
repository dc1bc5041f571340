package archive

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"sync/atomic"
	"time"

	"github.com/packstone/packstone/archive/sabotage"
	"github.com/packstone/packstone/archive/store"
)

// ship sends the open pack off, if there is one. The caller must hold the turn.
func (w *Writer) ship() error {
	pack := w.open
	if pack == nil {
		return nil
	}
	if err := w.failure(); err != nil {
		return err
	}
	w.open = nil
	w.filled.Store(0)
	w.mu.Lock()
	w.flying[pack] = struct{}{}
	w.mu.Unlock()
	go w.deliver(pack)
	return nil
}

// deliver uploads a pack and frees its memory.
func (w *Writer) deliver(pack *openPack) {
	defer func() {
		if pack.buffer != nil {
			w.drop(pack)
		}
		w.mu.Lock()
		delete(w.flying, pack)
		w.mu.Unlock()
		close(pack.done)
	}()
	if err := w.upload(pack); err != nil {
		w.fail(err)
	}
}

func (w *Writer) upload(pack *openPack) error {
	pack.finish(w.o.Kind)
	object, sealed, err := pack.seal(w.o.Kind, w.o.Recipients)
	if err != nil {
		return fmt.Errorf("seal a pack: %w", err)
	}
	pack.place(sealed)
	close(pack.named)
	if err := w.put(pack, w.o.Kind.Object(sealed.Name), object, sealed.Name); err != nil {
		return err
	}
	if w.o.Stored != nil {
		directory := pack.Directory.clone()
		w.telling.Lock()
		defer w.telling.Unlock()
		w.o.Stored(sealed, directory)
	}
	return nil
}

// put stores a sealed pack, from memory or from a file.
func (w *Writer) put(pack *openPack, name string, object []byte, digest store.Digest) error {
	if onDisk := w.spill(object); onDisk != nil {
		w.drop(pack)
		object = onDisk.object
		stop := onDisk.sending()
		defer func() {
			stop()
			onDisk.drop()
			w.onDisk.leave()
		}()
	}
	if sabotage.Has(sabotage.CommitFirst) {
		late := bytes.Clone(object)
		time.AfterFunc(time.Millisecond, func() { _ = w.store.Put(context.WithoutCancel(w.ctx), name, late, digest) })
		return nil
	}
	// An existing object of this name has the same bytes: a Put whose answer was lost has been
	// repeated.
	if err := w.store.Put(w.ctx, name, object, digest); err != nil && !errors.Is(err, store.ErrExist) {
		return fmt.Errorf("upload pack %s: %w", name, err)
	}
	return nil
}

// spill moves a sealed pack to a file if another pack waits for its memory and the store accepts
// more Puts than those of packs in memory. It returns nil if the pack stays in memory.
func (w *Writer) spill(object []byte) *spilled {
	if w.o.InFlight == nil || w.o.Spill == "" || len(w.packs) < cap(w.packs) {
		return nil
	}
	most := w.o.InFlight() - w.o.Uploads + 1 // and one that is ready when an answer comes
	if !w.onDisk.enter(most) {
		return nil
	}
	s, err := spillFiles.keep(spillKind{w.o.Spill, bufferSize(int64(w.o.PackSize))}, object)
	if err != nil {
		w.onDisk.leave() // it is slower without
		return nil
	}
	return s
}

// drop frees the pack's memory: for this writer, or for others if it has ended.
func (w *Writer) drop(pack *openPack) {
	w.mu.Lock()
	if w.ctx.Err() == nil {
		w.spare = append(w.spare, pack.buffer)
	} else {
		buffers.put(pack.buffer)
	}
	w.mu.Unlock()
	pack.buffer = nil
	<-w.packs
}

// settle waits until each pack that is being uploaded has reached point, or has failed.
func (w *Writer) settle(ctx context.Context, point func(*openPack) <-chan struct{}) error {
	w.mu.Lock()
	flying := make([]*openPack, 0, len(w.flying))
	for pack := range w.flying {
		flying = append(flying, pack)
	}
	w.mu.Unlock()
	for _, pack := range flying {
		select {
		case <-point(pack):
		case <-pack.done:
		case <-ctx.Done():
			return fmt.Errorf("wait for uploads: %w", context.Cause(ctx))
		}
	}
	return w.failure()
}

// tally counts up to a limit that may change.
type tally struct{ n atomic.Int64 }

// enter adds one and returns true, unless the count has reached most.
func (t *tally) enter(most int) bool {
	if t.n.Add(1) <= int64(most) {
		return true
	}
	t.leave()
	return false
}

func (t *tally) leave() { t.n.Add(-1) }
