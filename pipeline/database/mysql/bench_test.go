package mysql_test

import (
	"context"
	"testing"

	"github.com/packstone/packstone/pipeline/database"
	"github.com/packstone/packstone/pipeline/database/mysql/mysqltest"
)

// BenchmarkSmallValuesOfLongColumns reads small values of columns that could hold long ones, and
// does or does not look for such.
func BenchmarkSmallValuesOfLongColumns(b *testing.B) {
	at := mysqltest.Database(b)
	mysqltest.Exec(b, at, `CREATE TABLE t (id INT PRIMARY KEY, name VARCHAR(40), body LONGTEXT, data LONGBLOB);
		INSERT INTO t SELECT seq, CONCAT('name ', seq), REPEAT(MD5(seq), 4), REPEAT(UNHEX(MD5(seq)), 3) FROM seq_1_to_300000`)
	for name, aside := range map[string]string{"whole": "", "aside": b.TempDir()} {
		b.Run(name, func(b *testing.B) {
			src := openSource(b, at, database.SourceOptions{Aside: aside})
			schema, err := src.Schema(context.Background())
			if err != nil {
				b.Fatal(err)
			}
			b.ReportAllocs()
			for b.Loop() {
				size := 0
				err := src.Rows(context.Background(), schema.Tables[0], func(batch *database.Batch) error {
					size += batch.Size()
					batch.Release()
					return nil
				})
				if err != nil {
					b.Fatal(err)
				}
				b.SetBytes(int64(size))
			}
		})
	}
}
