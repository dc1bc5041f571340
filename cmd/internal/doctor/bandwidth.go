package doctor

import (
	"context"
	"errors"
	"fmt"
	"runtime"
	"strings"
	"time"

	"github.com/packstone/packstone/archive/store"
	"github.com/packstone/packstone/archive/store/inflight"
	"github.com/packstone/packstone/cmd/internal/config"
	"github.com/packstone/packstone/cmd/internal/output"
	"github.com/packstone/packstone/pipeline/backup"
	"github.com/packstone/packstone/pipeline/source"
)

const (
	// measureFor is how long each direction of the storage, and each source, is measured.
	measureFor = 5 * time.Second
	// farAtOnce is how many objects of 4 MiB are in flight while distant storage is measured,
	// nearAtOnce for near storage.
	farAtOnce, nearAtOnce = 16, 2
)

// Bandwidth measures the storage and the sources of jobs, and estimates how long a backup takes.
func (x *Examination) Bandwidth(ctx context.Context, storage *config.Storage, jobs []backup.Job) {
	var up store.Speed
	x.Examine("bandwidth: storage", func() (detail string, err error) {
		up, detail, err = measureStorage(ctx, storage)
		return detail, err
	})
	slowest, what := up.PerSecond(), "the upload"
	for i := range jobs {
		x.Examine("bandwidth: "+jobName(&jobs[i]), func() (string, error) {
			speed, err := measureSource(ctx, &jobs[i])
			if err != nil {
				return "", err
			}
			if read := float64(speed.Bytes) / speed.Took.Seconds(); tells(speed) && (slowest == 0 || read < slowest) {
				slowest, what = read, "reading "+jobName(&jobs[i])
			}
			return sourceText(speed), nil
		})
	}
	if slowest > 0 {
		x.Note("bandwidth: a first backup", forecast(slowest, what), nil, 0)
	}
}

// tells reports whether enough was read of a source to estimate its speed.
func tells(s source.Speed) bool { return s.Bytes >= 64<<20 || s.Bytes > 0 && !s.Whole }

func jobName(j *backup.Job) string {
	if len(j.Paths) > 0 {
		return strings.Join(j.Paths, " ")
	}
	return j.Name
}

func measureStorage(ctx context.Context, storage *config.Storage) (up store.Speed, detail string, err error) {
	atOnce, limiter := nearAtOnce, inflight.Of(storage)
	if limiter != nil {
		atOnce = farAtOnce
	}
	up, down, err := store.MeasureSpeed(ctx, storage, atOnce, measureFor)
	if errors.Is(err, store.ErrDenied) {
		return up, "", Advise("these credentials may not put and delete objects, so nothing was measured")
	}
	if err != nil {
		return up, "", err
	}
	detail = fmt.Sprintf("%s/s up, %s/s down", output.Bytes(int64(up.PerSecond())), output.Bytes(int64(down.PerSecond())))
	if limiter != nil {
		detail += fmt.Sprintf(", with up to %s in flight of %s/s each", output.Plural(limiter.Counts().MostAtOnce, "request"), output.Bytes(int64(limiter.Speed())))
	}
	return up, detail, nil
}

func measureSource(ctx context.Context, job *backup.Job) (source.Speed, error) {
	s, err := job.Open(ctx)
	if err != nil {
		return source.Speed{}, err
	}
	defer s.Close()
	return source.MeasureSpeed(ctx, s, runtime.GOMAXPROCS(0), measureFor)
}

func sourceText(s source.Speed) string {
	seconds := max(s.Took.Seconds(), 0.001)
	text := fmt.Sprintf("%s/s, %.0f files/s", output.Bytes(int64(float64(s.Bytes)/seconds)), float64(s.Files)/seconds)
	if s.Whole {
		text += fmt.Sprintf("; that is all of it, %s in %s", output.Bytes(s.Bytes), output.Plural(s.Files, "file"))
	}
	return text
}

// forecast says how long incompressible content takes at this speed.
func forecast(perSecond float64, what string) string {
	take := func(gib float64) string {
		return output.Duration(time.Duration(gib * (1 << 30) / perSecond * float64(time.Second)))
	}
	return fmt.Sprintf("1 GiB that does not compress takes %s, 100 GiB %s, 1 TiB %s, of which processors may need more; %s bounds it",
		take(1), take(100), take(1024), what)
}
