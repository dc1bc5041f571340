package output

import "fmt"

// Status is how far a run has come.
type Status struct {
	SecondsElapsed   int64   `json:"seconds_elapsed" doc:"Seconds since the run began."`
	SecondsRemaining int64   `json:"seconds_remaining,omitempty" doc:"Estimated seconds to the end; absent while unknown."`
	PercentDone      float64 `json:"percent_done" doc:"Share of the bytes, or of the files where there are no bytes, that is done: 0 to 1."`
	TotalFiles       int64   `json:"total_files,omitempty" doc:"Files found so far, or in all."`
	FilesDone        int64   `json:"files_done" doc:"Files that are done."`
	TotalBytes       int64   `json:"total_bytes,omitempty" doc:"Bytes found so far, or in all."`
	BytesDone        int64   `json:"bytes_done" doc:"Bytes that are done."`
	BytesPerSecond   int64   `json:"bytes_per_second" doc:"Speed over the last seconds."`
	ErrorCount       int64   `json:"error_count,omitempty" doc:"Problems so far."`
	CurrentFiles     []Name  `json:"current_files,omitempty" doc:"What is being worked on."`
}

// VerboseStatus is what was done with one item.
type VerboseStatus struct {
	Action             string  `json:"action" doc:"What was done: new, changed, unchanged, restored, updated, deleted and so on."`
	Item               Name    `json:"item" doc:"What it was done with."`
	Duration           float64 `json:"duration,omitempty" doc:"Seconds that it took."`
	DataSize           int64   `json:"data_size,omitempty" doc:"Bytes of the item."`
	DataSizeInRepo     int64   `json:"data_size_in_repo,omitempty" doc:"Bytes that it added to the repository."`
	MetadataSize       int64   `json:"metadata_size,omitempty" doc:"Bytes of metadata."`
	MetadataSizeInRepo int64   `json:"metadata_size_in_repo,omitempty" doc:"Bytes of metadata that it added to the repository."`
}

func (m VerboseStatus) text() string {
	if m.DataSize == 0 {
		return fmt.Sprintf("%-9s %s\n", m.Action, m.Item)
	}
	return fmt.Sprintf("%-9s %s (%s)\n", m.Action, m.Item, Bytes(m.DataSize))
}

// Warning is what the user should know although the run is complete.
type Warning struct {
	Message string `json:"message" doc:"What to know."`
	Item    Name   `json:"item,omitempty" doc:"What it is about."`
}

// Error is what went wrong with one item.
type Error struct {
	Error  ErrorText `json:"error" doc:"What went wrong."`
	During string    `json:"during" doc:"The stage of the run: walk, read, store, restore, verify and so on."`
	Item   Name      `json:"item" doc:"What it went wrong with."`
}

// ErrorText is the text of an error.
type ErrorText struct {
	Message string `json:"message" doc:"The error in words."`
}

// ExitError is why the program ends with a code other than 0.
type ExitError struct {
	Code    int    `json:"code" doc:"The exit code."`
	Message string `json:"message" doc:"The error in words."`
}
