package message

import (
	"fmt"
	"strings"
	"time"

	"github.com/packstone/packstone/catalog"
	"github.com/packstone/packstone/catalog/entry"
	"github.com/packstone/packstone/cmd/internal/output"
)

// Place is how a person names a path of a source after the colon.
func Place(source, path string) output.Name { return output.Name(catalog.PlaceName(source, path)) }

// Entry is an entry in the JSON arrays of ls and find.
type Entry struct {
	Source      output.Name   `json:"source" doc:"The source; / for what was backed up by its path."`
	Path        output.Name   `json:"path" doc:"The path below the source, without slashes around it."`
	Name        output.Name   `json:"name" doc:"The last part of the path."`
	Type        string        `json:"type" doc:"file, dir, symlink, fifo, chardev, dev (a block device) or socket."`
	Size        int64         `json:"size,omitempty" doc:"Bytes of a file."`
	Mode        uint32        `json:"mode" doc:"Permission bits, setuid, setgid and sticky, as a number."`
	Permissions string        `json:"permissions" doc:"Type and mode as ls -l prints them."`
	UID         uint32        `json:"uid" doc:"The owner's number."`
	GID         uint32        `json:"gid" doc:"The group's number."`
	User        output.Name   `json:"user,omitempty" doc:"The owner's name where it was backed up."`
	Group       output.Name   `json:"group,omitempty" doc:"The group's name where it was backed up."`
	ModTime     output.Moment `json:"mtime" doc:"When the content was changed; a year beyond 9999, or before 0, has a sign."`
	Links       uint32        `json:"links,omitempty" doc:"Hard links of a file that has several."`
	LinkTarget  output.Name   `json:"linktarget,omitempty" doc:"Where a symbolic link points."`
}

// EntryOf is an entry of a source.
func EntryOf(source string, e *entry.Entry) Entry {
	row := Entry{
		Source: output.Name(source), Path: output.Name(e.Path), Name: output.Name(e.Path[strings.LastIndexByte(e.Path, '/')+1:]),
		Type: e.Type.Word(), Size: e.Size, Mode: e.Mode, Permissions: e.Permissions(), UID: e.UID, GID: e.GID,
		User: output.Name(e.User), Group: output.Name(e.Group), ModTime: output.Moment(e.ModTime.Time()), LinkTarget: output.Name(e.Target),
	}
	if e.Links > 1 {
		row.Links = e.Links
	}
	return row
}

// Long is the row as ls -l prints it; human: with the size in a unit that fits.
func (r Entry) Long(human bool) string {
	size := fmt.Sprint(r.Size)
	if human {
		size = output.Bytes(r.Size)
	}
	text := fmt.Sprintf("%s %-15s %12s  %s  %s", r.Permissions, owner(r.User, r.UID)+"/"+owner(r.Group, r.GID), size, output.ZonedTime(time.Time(r.ModTime)), r.Place())
	if r.LinkTarget != "" {
		text += " -> " + r.LinkTarget.String()
	}
	return text
}

// Place is how a person names it after the colon.
func (r Entry) Place() string { return Place(string(r.Source), string(r.Path)).String() }

func owner(name output.Name, number uint32) string {
	if name != "" {
		return name.String()
	}
	return fmt.Sprint(number)
}

// Found is a match in the JSON array of find.
type Found struct {
	Snapshot     string    `json:"snapshot" doc:"The snapshot that has it."`
	SnapshotTime time.Time `json:"snapshot_time" doc:"When that was taken."`
	Entry
}
