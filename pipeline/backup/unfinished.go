package backup

import (
	"context"
	"time"

	"github.com/packstone/packstone/archive"
	"github.com/packstone/packstone/catalog"
	"github.com/packstone/packstone/catalog/entry"
	"github.com/packstone/packstone/pipeline/source"
)

// openUnfinished opens what an interrupted run has left of a source that is slow to read, and has
// this run's kept for the next one.
func (c *capture) openUnfinished() {
	distant, ok := c.source.(source.Distant)
	if !ok || distant.Readers() == 0 || c.o.DryRun || c.o.Force || !c.pages.Own() {
		return
	}
	of := c.o.thing() + "\x00" + c.job.Name + "\x00" + c.job.Location
	if c.o.Original != nil {
		of += "\x00" + c.o.Original.ID.String()
	}
	c.unfinished = c.session.OpenUnfinished(of, c.backup.last)
	c.publish.hurry(c.unfinished, c.data.Flush)
}

// settled is how much older than its capture a file's time must be: then no later change can have
// the same.
const settled = 2 * time.Second

// takeOver takes an entry as an interrupted run has captured it, if it is in the source as it was
// then and the repository has its content.
func (c *capture) takeOver(ctx context.Context, it *item) (bool, error) {
	e := &it.node.Entry
	if c.unfinished == nil || e.Type == entry.Directory {
		return false, nil
	}
	was := c.unfinished.Find(e.Path)
	if was == nil || !entry.Unchanged(&was.Entry, e) || !e.ModTime.Time().Add(settled).Before(time.Unix(was.At, 0)) {
		return false, nil
	}
	chunks := make([]archive.Chunk, len(was.Chunks))
	size := int64(0)
	for i, saved := range was.Chunks {
		chunks[i] = archive.Chunk{ID: saved.ID, Length: saved.Length}
		if !chunks[i].IsHole() {
			var known bool
			var err error
			if chunks[i], known, err = c.intake.lookup(ctx, saved.ID); err != nil || !known {
				return false, err
			}
		}
		size += int64(chunks[i].Length)
	}
	if size != was.Entry.Size {
		return false, nil
	}
	it.node.Entry, it.node.Chunks, it.captured = was.Entry, chunks, was.At
	return true, nil
}

// remember notes an entry that is in the new tree and not in the last one.
func (c *capture) remember(it *item) {
	if c.unfinished == nil || it.node.Type == entry.Directory || it.node.IsMark() || it.node.Fuzzy {
		return
	}
	at, again := it.captured, it.captured != 0
	if !again {
		at = c.state.Moment.Unix()
	}
	saved := &catalog.CapturedEntry{Entry: it.node.Entry, At: at, Chunks: make([]catalog.CapturedChunk, len(it.node.Chunks))}
	for i, chunk := range it.node.Chunks {
		saved.Chunks[i] = catalog.CapturedChunk{ID: chunk.ID, Length: chunk.Length}
		if i < len(it.pending) && it.pending[i] != nil {
			saved.Chunks[i] = catalog.CapturedChunk{ID: it.pending[i].ID()}
		}
	}
	c.unfinished.Add(saved, again)
}
