package catalog

// Rule says that values of a database's column are paths in another source of the snapshot.
type Rule struct {
	From string `json:"from"` // SOURCE.TABLE.COLUMN or SOURCE.SCHEMA.TABLE.COLUMN; of a rule with a Path without COLUMN
	To   string `json:"to"`   // the source in which each path must exist
	// Path is how a path is made of the columns of a row, such as {tenant}/{id}.bin; "": the value
	// of COLUMN is the path.
	Path  string `json:"path,omitempty"`
	Strip string `json:"strip,omitempty"` // what stands before the path in the values that have it
	Nulls bool   `json:"nulls,omitempty"` // null leads to nothing; else it is no reference
}

// References are what became of a rule when it was tested on a snapshot.
type References struct {
	Rule
	Rows     uint64     `json:"rows"`               // that refer to something
	Dangling uint64     `json:"dangling,omitempty"` // of them, those that lead to nothing in the snapshot
	First    []Dangling `json:"first,omitempty"`    // the first of those
	Failed   string     `json:"failed,omitempty"`   // why it could not be tested
}

// Hold tells whether the rule was tested, and holds.
func (r *References) Hold() bool { return r.Failed == "" && r.Dangling == 0 }

// Dangling is a row that refers to what the snapshot does not have.
type Dangling struct {
	Table string `json:"table"`
	Key   string `json:"key"`             // what tells the row from others, such as id=7
	Value string `json:"value"`           // its beginning, where it is long
	Path  string `json:"path,omitempty"`  // what that means; absent: the value itself
	Cause string `json:"cause,omitempty"` // why the value is no path at all
}

// Orphans counts the files of a source that no row refers to.
type Orphans struct {
	Source string `json:"source"`
	Files  uint64 `json:"files"`
}

// LeftOut is something of the platform that is not backed up, on purpose.
type LeftOut struct {
	Name   string `json:"name"`
	Reason string `json:"reason"`
}
