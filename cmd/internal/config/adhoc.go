package config

import (
	"github.com/packstone/packstone/pipeline/database"
	"github.com/packstone/packstone/pipeline/database/sqlite"
	"github.com/packstone/packstone/pipeline/remote/sftp"
	"github.com/packstone/packstone/pipeline/source"
	sourcecommand "github.com/packstone/packstone/pipeline/source/command"
	"github.com/packstone/packstone/pipeline/source/files"
	"github.com/packstone/packstone/pipeline/target"
	targetcommand "github.com/packstone/packstone/pipeline/target/command"
)

// Options of what the command line describes without a settings file.
type (
	PathOptions     = files.Options         // of a source of paths
	CommandOptions  = sourcecommand.Options // of a source that is a command's output
	ReceiverOptions = targetcommand.Options // of a command that is given a file
	SSHKey          = sftp.Key
)

// OpenPaths opens paths of this machine as a source. It reads nothing.
func OpenPaths(o PathOptions) (source.Source, error) { return sourceOf(files.New(o)) }

// OpenCommand opens a command's output as a source. It does not start the command.
func OpenCommand(o CommandOptions) (source.Source, error) { return sourceOf(sourcecommand.New(o)) }

// OpenReceiver opens a command as a target for one file. It does not start the command.
func OpenReceiver(o ReceiverOptions) (target.Target, error) { return targetOf(targetcommand.New(o)) }

// Drivers for SQLite files that no URL names: of a database as it is, and of one that can be
// imported into any engine.
var (
	SQLiteFile   database.Driver = sqlite.Driver{}
	PortableFile database.Driver = sqlite.Driver{Portable: true}
)

// NewFolder makes a folder in parent for a database file that is renamed when it is complete, and
// removes folders of killed processes.
func NewFolder(parent string) (*sqlite.Folder, error) { return sqlite.NewFolder(parent, ".packstone-") }
