package mysql

import (
	"strings"

	"github.com/packstone/packstone/pipeline/database/sqltext"
)

// computing are functions and words that a parenthesis may follow in an expression which only
// computes.
var computing = map[string]bool{}

func init() {
	for _, word := range strings.Fields(`abs acos adddate addtime and as ascii asin atan atan2 avg between bin binary bit_count bit_length by case cast ceil ceiling char
		character char_length character_length charset chr coalesce coercibility collate collation concat concat_ws conv convert convert_tz cos cot crc32 current_date
		current_time current_timestamp curdate curtime date date_add date_format date_sub datediff day dayname dayofmonth dayofweek dayofyear decimal default
		degrees div double elt else exp export_set extract field find_in_set float floor format from from_base64 from_days from_unixtime greatest hex hour if ifnull in
		inet6_aton inet6_ntoa inet_aton inet_ntoa insert instr int integer interval is is_ipv4 is_ipv6 isnull json_array json_array_append json_array_insert
		json_compact json_contains json_contains_path json_depth json_detailed json_exists json_extract json_insert json_keys json_length json_merge
		json_merge_patch json_merge_preserve json_object json_overlaps json_quote json_remove json_replace json_search json_set json_type json_unquote
		json_valid json_value last_day lcase least left length like ln localtime localtimestamp locate log log10 log2 lower lpad ltrim make_set makedate maketime
		md5 microsecond mid minute mod month monthname nchar not now null nullif numeric oct octet_length or ord pi position pow power quarter quote radians rand
		regexp regexp_instr regexp_replace regexp_substr repeat replace reverse right rlike round rpad rtrim sec_to_time second set sha sha1 sha2 sign signed sin
		soundex space sqrt st_area st_asbinary st_astext st_geometryfromtext st_geomfromtext st_srid st_x st_y strcmp str_to_date subdate substr substring
		substring_index subtime sysdate tan then time time_format time_to_sec timediff timestamp timestampadd timestampdiff to_base64 to_days to_seconds trim
		truncate ucase unhex unix_timestamp unsigned upper using utc_date utc_time utc_timestamp uuid uuid_to_bin bin_to_uuid varchar week weekday weekofyear
		when xor year yearweek sys_guid uncompressed_length`) {
		computing[word] = true
	}
}

// computes says that an expression of the server's own calls only what computes, and that it ends
// where it begins: in a place for one expression it stands for one.
func computes(sql string) bool {
	dialect := sqltext.MySQL(fillMode, nil)
	dialect.Comments = false // one could hide what follows the expression
	st, err := dialect.Parse(sql, false)
	if err != nil {
		return false
	}
	if _, one := st.Match("$list", sqltext.Own{}); !one {
		return false
	}
	for i, t := range st.Tokens {
		if t.Is("select") || t.Is("@") || t.Kind == sqltext.Word && !expressionWord(st.Tokens, i) {
			return false
		}
	}
	for _, c := range sqltext.Calls(st.Tokens) {
		if c.Schema != "" || c.Quoted || !computing[strings.ToLower(c.Name)] {
			return false
		}
	}
	return true
}

// expressionWord says that an unquoted word belongs to an expression: the server quotes all names
// of columns.
func expressionWord(tokens []sqltext.Token, i int) bool {
	word := strings.ToLower(tokens[i].Value)
	introducer := strings.HasPrefix(word, "_") && i+1 < len(tokens) && tokens[i+1].Kind == sqltext.Text
	prefix := (word == "x" || word == "b" || word == "n") && i+1 < len(tokens) && tokens[i+1].Kind == sqltext.Text
	afterUsing := i > 0 && (tokens[i-1].Is("using") || tokens[i-1].Is("collate") || tokens[i-1].Is("charset") || tokens[i-1].Is("set"))
	return computing[word] || introducer || prefix || afterUsing || otherWords[word]
}

var otherWords = map[string]bool{
	"true": true, "false": true, "unknown": true, "end": true, "escape": true, "both": true, "leading": true, "trailing": true, "day_hour": true,
	"day_minute": true, "day_second": true, "hour_minute": true, "hour_second": true, "minute_second": true, "year_month": true, "sounds": true,
	"precision": true, "zone": true, "at": true, "local": true, "on": true, "empty": true, "error": true, "returning": true,
}
