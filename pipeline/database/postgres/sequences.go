package postgres

import (
	"fmt"

	"github.com/packstone/packstone/pipeline/database"
)

func (l *lister) sequences() {
	for _, s := range l.catalog.sortedSequences() {
		id := named("sequence", s.Schema, s.Name)
		owner := l.catalog.relations[s.Owner]
		var it *item
		switch {
		case s.Internal && owner != nil:
			it = l.add(classRelation, s.OID, rankSequence, database.Tables, id, identityDDL(s, owner))
		case owner != nil:
			it = l.add(classRelation, s.OID, rankSequence, database.Tables, id, sequenceDDL(s),
				"ALTER SEQUENCE "+s.sql()+" OWNED BY "+owner.sql()+"."+quote(owner.columnOf(s.Attribute).Name))
		default:
			it = l.add(classRelation, s.OID, rankSequence, database.BeforeTables, id, sequenceDDL(s))
		}
		it.excluded = owner != nil && !l.takes(owner)
	}
}

func sequenceOptions(s *sequence) string {
	cycle := ""
	if s.Cycle {
		cycle = " CYCLE"
	}
	return fmt.Sprintf("START WITH %d INCREMENT BY %d MINVALUE %d MAXVALUE %d CACHE %d%s", s.Start, s.Increment, s.Min, s.Max, s.Cache, cycle)
}

func sequenceDDL(s *sequence) string {
	unlogged := ""
	if s.Persist == "u" {
		unlogged = "UNLOGGED "
	}
	return "CREATE " + unlogged + "SEQUENCE " + s.sql() + " AS " + s.Type + " " + sequenceOptions(s)
}

func identityDDL(s *sequence, owner *relation) string {
	col := owner.columnOf(s.Attribute)
	how := "BY DEFAULT"
	if col.Identity == "a" {
		how = "ALWAYS"
	}
	return "ALTER TABLE " + owner.sql() + " ALTER COLUMN " + quote(col.Name) + " ADD GENERATED " + how +
		" AS IDENTITY (SEQUENCE NAME " + s.sql() + " " + sequenceOptions(s) + ")"
}
