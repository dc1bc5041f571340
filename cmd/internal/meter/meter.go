// Package meter reads how far a flow is, for the line of progress. What it returns may be called from
// any goroutine while the flow runs.
package meter

import (
	"fmt"
	"sync"

	"github.com/packstone/packstone/cmd/internal/output"
	"github.com/packstone/packstone/pipeline"
	"github.com/packstone/packstone/pipeline/collect"
	"github.com/packstone/packstone/pipeline/database/convert"
	"github.com/packstone/packstone/pipeline/keep"
)

// Of reads the progress of a flow of files and packs.
func Of(p *pipeline.Progress) func() output.Counts {
	return func() output.Counts {
		all := p.Totals()
		return output.Counts{
			TotalFiles: int64(all.Files), FilesDone: int64(p.FilesDone.Load()),
			TotalBytes: int64(all.Bytes), BytesDone: int64(p.Through()),
			Errors: int64(p.Missed.Load()), Current: []string{p.Current()},
		}
	}
}

// WithoutTotals leaves out how much there is in all.
func WithoutTotals(counts func() output.Counts) func() output.Counts {
	return func() output.Counts {
		c := counts()
		c.TotalFiles, c.TotalBytes = 0, 0
		return c
	}
}

// OfCollection reads the progress of a run that deletes packs.
func OfCollection(p *collect.Progress) func() output.Counts {
	return func() output.Counts {
		return output.Counts{
			FilesDone: int64(p.PacksDone.Load()), TotalFiles: int64(p.PacksTotal.Load()), BytesDone: int64(p.BytesDone.Load()), TotalBytes: int64(p.BytesTotal.Load()),
		}
	}
}

// OfLocks reads the progress of a run that extends locks.
func OfLocks(p *keep.Progress) func() output.Counts {
	return func() output.Counts {
		return output.Counts{FilesDone: p.Done.Load(), TotalFiles: p.Total.Load(), BytesDone: p.Bytes.Load()}
	}
}

// Rows is how far the rows of a database are. The zero value is at the begin; it is safe for
// concurrent use.
type Rows struct {
	mu  sync.Mutex
	now convert.Progress
}

// Take notes how far they are now.
func (m *Rows) Take(p convert.Progress) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.now = p
}

// Counts is how far they are.
func (m *Rows) Counts() output.Counts {
	m.mu.Lock()
	defer m.mu.Unlock()
	current := fmt.Sprintf("%s %s", m.now.Stage, output.Plural(m.now.Rows, "row"))
	if m.now.Table != "" {
		current += " of " + m.now.Table
	}
	return output.Counts{BytesDone: m.now.Bytes, TotalBytes: max(m.now.TotalBytes, 0), Current: []string{current}}
}
