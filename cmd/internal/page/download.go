package page

import (
	"fmt"
	"mime"
	"net/http"
	"strconv"
	"strings"
	"time"

	"github.com/packstone/packstone/catalog"
	"github.com/packstone/packstone/catalog/entry"
	"github.com/packstone/packstone/pipeline/browse"
)

// sendTime is how long one write to whoever downloads may take.
const sendTime = 2 * time.Minute

// download sends a file as it is, or what is at a place as a tar or zip.
func (v *visit) download() error {
	release, err := v.turn()
	if err != nil {
		return err
	}
	defer release()
	switch as := v.r.FormValue("as"); as {
	case "file":
		return v.sendFile()
	case "tar", "zip":
		return v.sendFolder(as)
	default:
		return catalog.Misuse("as=%q: want file, tar or zip", as)
	}
}

// turn admits what holds memory for a while, unless too much of it is under way.
func (v *visit) turn() (release func(), err error) {
	select {
	case v.outgoing <- struct{}{}:
		return func() { <-v.outgoing }, nil
	default:
		return nil, errBusy
	}
}

func (v *visit) sendFile() error {
	here, node, err := v.found()
	if err != nil {
		return err
	}
	b := v.shelf().newBrowser(v.shelf().opened())
	v.w.Header().Set("Content-Length", strconv.FormatInt(node.Size, 10))
	v.attach("application/octet-stream", string(here.Name))
	if v.r.Method == http.MethodHead {
		return nil
	}
	return v.sent(b.Content(v.r.Context(), here.at.Snapshot, node, v.slowly()))
}

func (v *visit) sendFolder(as string) error {
	here, err := v.folder()
	if err != nil {
		return err
	}
	b, name := v.shelf().newBrowser(v.shelf().opened()), fmt.Sprintf("%s-%s-%s", here.SetLabel, here.at.Snapshot.ShortID(), fileName(string(here.Source+"-"+here.Path)))
	name = strings.Trim(name, "-") + "." + as
	v.attach(map[string]string{"zip": "application/zip", "tar": "application/x-tar"}[as], name)
	switch {
	case v.r.Method == http.MethodHead:
		return nil
	case as == "zip":
		return v.sent(b.Zip(v.r.Context(), here.at, v.slowly(), func(*entry.Entry) {}))
	}
	return v.sent(b.Tar(v.r.Context(), here.at, v.slowly(), func(*entry.Entry, string) {}))
}

// folder returns the place that is named, which must be there.
func (v *visit) folder() (here *spot, err error) {
	if here, err = v.spot(); err != nil || len(here.at.Sources) != 1 || here.Path == "" {
		return here, err
	}
	return here, v.shelf().browse(func(b *browse.Browser) error {
		_, err := b.Node(v.r.Context(), here.at)
		return err
	})
}

// attach has a browser keep what follows as a file, never show it.
func (v *visit) attach(kind, name string) {
	v.w.Header().Set("Content-Type", kind)
	v.w.Header().Set("Content-Security-Policy", "default-src 'none'; sandbox")
	v.w.Header().Set("Content-Disposition", mime.FormatMediaType("attachment", map[string]string{"filename": fileName(name)}))
}

// fileName makes a name of which no browser and no system makes something else.
func fileName(name string) string {
	name = strings.Map(func(r rune) rune {
		if r == '/' || r == '\\' || r == ':' || r < ' ' || !entry.IsPrintable(string(r)) {
			return '_'
		}
		return r
	}, strings.ToValidUTF8(name, "_"))
	if name = strings.TrimLeft(name, "."); name == "" {
		return "download"
	}
	return name
}

// sent breaks the connection off if not all was sent: else what came would pass for a whole.
func (v *visit) sent(err error) error {
	if err != nil {
		panic(http.ErrAbortHandler)
	}
	return nil
}

// slowly writes to whoever downloads, for as long as he takes something.
func (v *visit) slowly() slowWriter { return slowWriter{v.w, http.NewResponseController(v.w)} }

type slowWriter struct {
	w       http.ResponseWriter
	control *http.ResponseController
}

// Write implements io.Writer.
func (s slowWriter) Write(p []byte) (int, error) {
	_ = s.control.SetWriteDeadline(time.Now().Add(sendTime)) // a connection without deadlines waits
	return s.w.Write(p)
}
