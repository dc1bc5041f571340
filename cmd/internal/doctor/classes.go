package doctor

import (
	"fmt"

	"github.com/packstone/packstone/archive/store"
	"github.com/packstone/packstone/cmd/internal/config"
)

// Classes reports in which storage classes objects are put, and for how long the storage bills them
// at least. It reports nothing if the settings name none.
func (x *Examination) Classes(storage *config.Storage) {
	if storage.Classes == (config.Classes{}) {
		return
	}
	x.Examine("storage: classes", func() (string, error) { return describeClasses(storage.Classes), nil })
}

func describeClasses(c config.Classes) string {
	return "packs in " + describeClass(store.Class(c.Packs)) + "; everything else in " + describeClass(store.Class(c.Metadata))
}

func describeClass(c store.Class) string {
	text := c.String()
	if c.Least() > 0 {
		text += fmt.Sprintf(", billed for at least %d days", c.Least())
	}
	if c.NeedsThaw() {
		text += ", to be thawed before it is read (restore --thaw)"
	}
	return text
}
