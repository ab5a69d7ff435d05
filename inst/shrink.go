package inst

// least is how many elements a map must have had to be worth shrinking.
const least = 64

// Shrink makes a map smaller whose elements are charged. A Go map keeps the room
// for all that was ever in it, for which nobody pays any more when that has been
// deleted. Shrink is called after a delete with the map and where its owner keeps
// the most elements it has had. It returns the map, or if few of them are left a
// copy, which the owner takes in its place. On the whole that costs less than
// the deletes. A range over the map that is going on is not disturbed.
func Shrink[K comparable, V any](m map[K]V, most *int) map[K]V {
	n := len(m)
	*most = max(*most, n+1) // as many there were before the delete
	if *most < least || n > *most/4 {
		return m
	}
	small := make(map[K]V, n)
	for k, v := range m {
		small[k] = v
	}
	*most = n
	return small
}
