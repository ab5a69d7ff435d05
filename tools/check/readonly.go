package check

import (
	"fmt"
	"go/ast"
	"go/token"
	"go/types"
)

// This file follows a table through the code of the module. A use is a read
// if the value taken out is a copy; where it is a reference to the table
// (a slice of it, a pointer into it, the map itself), the local variable or
// parameter that receives it is followed in turn. Whatever can't be followed
// counts as a write: returned, stored in a structure or a package variable,
// sent, put behind an interface, passed to a function without a body here.
// Assembly and variables tied together by go:linkname are out of sight.

// readers are the functions elsewhere that only read the references they are
// given. They apply while the elements themselves are plain.
var readers = map[string][]string{
	"fmt":     {"Print", "Println", "Printf", "Sprint", "Sprintln", "Sprintf", "Fprint", "Fprintln", "Fprintf", "Errorf"},
	"strings": {"Join"},
	"bytes":   {"Equal", "Compare", "Contains", "ContainsAny", "Count", "Index", "IndexByte", "LastIndex", "HasPrefix", "HasSuffix"},
	"slices": {"All", "BinarySearch", "BinarySearchFunc", "Clone", "Compare", "Contains", "ContainsFunc", "Equal", "Index",
		"IndexFunc", "IsSorted", "IsSortedFunc", "Max", "MaxFunc", "Min", "MinFunc", "Values"},
	"maps": {"All", "Clone", "Equal", "Keys", "Values"},
}

// rebound says where a variable itself is assigned to or lends its address.
// It is the whole check for slots and errors, whose inside nobody can write.
func (w *world) rebound(obj types.Object) string {
	for _, id := range w.uses[obj] {
		x := w.qualified(id)
		if w.isTarget(x) {
			return "it is assigned to at " + w.t.pos(id.Pos())
		}
		u, ok := w.up(x).(*ast.UnaryExpr)
		if ok && u.Op == token.AND && !w.isArgOfInst(u) {
			return "its address is taken at " + w.t.pos(id.Pos())
		}
	}
	return ""
}

// isArgOfInst reports whether x is handed to a function of package inst,
// which is where a slot's address may go.
func (w *world) isArgOfInst(x ast.Expr) bool {
	call, ok := w.up(x).(*ast.CallExpr)
	if !ok {
		return false
	}
	fn := w.callee(call)
	return fn != nil && fn.Pkg() != nil && fn.Pkg().Path() == w.t.Module+"/inst"
}

// written says where the table in a package variable can be written.
func (w *world) written(obj types.Object) string {
	return w.follow(obj, false, map[types.Object]bool{})
}

// follow checks all uses of obj. A local variable may be pointed elsewhere,
// a package variable may not.
func (w *world) follow(obj types.Object, local bool, seen map[types.Object]bool) string {
	if seen[obj] {
		return ""
	}
	seen[obj] = true
	for _, id := range w.uses[obj] {
		if why := w.use(w.qualified(id), local, seen); why != "" {
			return fmt.Sprintf("%s at %s", why, w.t.pos(id.Pos()))
		}
	}
	return ""
}

// qualified returns pkg.Name for the Name of another package, else the name.
func (w *world) qualified(id *ast.Ident) ast.Expr {
	sel, ok := w.parent[id].(*ast.SelectorExpr)
	if ok && sel.Sel == id && w.info.Selections[sel] == nil {
		return sel
	}
	return id
}

// up returns the parent, parentheses left out.
func (w *world) up(x ast.Expr) ast.Node {
	p := w.parent[x]
	for {
		paren, ok := p.(*ast.ParenExpr)
		if !ok {
			return p
		}
		p = w.parent[paren]
	}
}

// isTarget reports whether a statement gives x a new value.
func (w *world) isTarget(x ast.Expr) bool {
	switch p := w.up(x).(type) {
	case *ast.AssignStmt:
		for _, l := range p.Lhs {
			if ast.Unparen(l) == x {
				return true
			}
		}
	case *ast.IncDecStmt:
		return true
	case *ast.RangeStmt:
		return p.Key != nil && ast.Unparen(p.Key) == x || p.Value != nil && ast.Unparen(p.Value) == x
	}
	return false
}

// use climbs from the root of an expression to the value that the code around
// it gets, and says why that is not a read.
func (w *world) use(x ast.Expr, local bool, seen map[types.Object]bool) string {
	root := true
	for {
		if w.isTarget(x) {
			if root && local {
				return ""
			}
			return "it is written"
		}
		if w.info.Types[x].IsType() {
			return "" // the type of the same name; can't happen for a variable
		}
		switch p := w.up(x).(type) {
		case *ast.SelectorExpr:
			sel := w.info.Selections[p]
			if sel == nil || sel.Kind() != types.FieldVal {
				return w.method(p, sel, seen)
			}
			x, root = p, false
			continue
		case *ast.IndexExpr:
			if ast.Unparen(p.X) == x {
				x, root = p, false
				continue
			}
		case *ast.SliceExpr:
			if ast.Unparen(p.X) == x {
				x, root = p, false
				continue
			}
		case *ast.StarExpr:
			x, root = p, false
			continue
		case *ast.UnaryExpr:
			if p.Op == token.AND {
				x, root = p, false
				continue
			}
		case *ast.CallExpr:
			tv := w.info.Types[p.Fun]
			if tv.IsType() && ast.Unparen(p.Fun) != x { // a conversion
				if b, ok := tv.Type.Underlying().(*types.Basic); ok && b.Kind() == types.UnsafePointer {
					return "its address becomes an unsafe.Pointer"
				}
				if types.IsInterface(tv.Type) && !plain(w.info.TypeOf(x)) {
					return "it is put behind an interface"
				}
				x, root = p, false
				continue
			}
		}
		return w.value(x, seen)
	}
}

// value judges where the value of x goes.
func (w *world) value(x ast.Expr, seen map[types.Object]bool) string {
	t := w.info.TypeOf(x)
	if t == nil {
		return "it is used in an expression of unknown type"
	}
	if tuple, ok := t.(*types.Tuple); ok { // v, ok := table[key]
		t = tuple.At(0).Type()
	}
	if r, ok := w.up(x).(*ast.RangeStmt); ok && ast.Unparen(r.X) == x {
		return w.ranged(r, t, seen)
	}
	if plain(t) {
		return ""
	}
	switch p := w.up(x).(type) {
	case *ast.AssignStmt:
		for i, r := range p.Rhs {
			if ast.Unparen(r) == x && i < len(p.Lhs) {
				return w.into(p.Lhs[i], seen)
			}
		}
	case *ast.ValueSpec:
		for i, v := range p.Values {
			if ast.Unparen(v) == x && i < len(p.Names) {
				return w.into(p.Names[i], seen)
			}
		}
	case *ast.CallExpr:
		return w.argument(p, x, t, seen)
	case *ast.BinaryExpr:
		return "" // compared
	}
	return "it is handed out"
}

// ranged judges the variables of a range loop over a table of type t.
func (w *world) ranged(r *ast.RangeStmt, t types.Type, seen map[types.Object]bool) string {
	if p, ok := t.Underlying().(*types.Pointer); ok {
		t = p.Elem()
	}
	var key, elem types.Type = types.Typ[types.Int], nil
	switch u := t.Underlying().(type) {
	case *types.Array:
		elem = u.Elem()
	case *types.Slice:
		elem = u.Elem()
	case *types.Map:
		key, elem = u.Key(), u.Elem()
	case *types.Basic:
		return "" // a string or a number
	case *types.Signature:
		return "" // an iterator
	default:
		return "it is ranged over in a way that can't be followed"
	}
	if r.Key != nil && !plain(key) {
		if why := w.into(r.Key, seen); why != "" {
			return why
		}
	}
	if r.Value != nil && !plain(elem) {
		return w.into(r.Value, seen)
	}
	return ""
}

// into follows a reference to the table into the variable that gets it.
func (w *world) into(dst ast.Expr, seen map[types.Object]bool) string {
	id, ok := ast.Unparen(dst).(*ast.Ident)
	if !ok {
		return "it is stored where it can't be followed"
	}
	if id.Name == "_" {
		return ""
	}
	obj := w.info.Defs[id]
	if obj == nil {
		obj = w.info.Uses[id]
	}
	return w.intoVar(obj, seen)
}

func (w *world) intoVar(obj types.Object, seen map[types.Object]bool) string {
	v, ok := origin(obj).(*types.Var)
	if !ok || v.Pkg() == nil || v.IsField() || v.Parent() == v.Pkg().Scope() {
		return "it is stored where it can't be followed"
	}
	if w.results[v] {
		return "it is handed out"
	}
	t := v.Type()
	if _, param := types.Unalias(t).(*types.TypeParam); param || types.IsInterface(t) {
		return "it is put behind an interface"
	}
	return w.follow(v, true, seen)
}

// argument judges a reference passed in a call.
func (w *world) argument(call *ast.CallExpr, x ast.Expr, t types.Type, seen map[types.Object]bool) string {
	n := -1
	for i, a := range call.Args {
		if ast.Unparen(a) == x {
			n = i
		}
	}
	if n < 0 {
		return "it is called"
	}
	if w.info.Types[call.Fun].IsBuiltin() {
		id, ok := ast.Unparen(call.Fun).(*ast.Ident)
		switch {
		case !ok: // of package unsafe
		case id.Name == "len" || id.Name == "cap":
			return ""
		case (id.Name == "copy" || id.Name == "append" && call.Ellipsis.IsValid()) && n == 1 && plainElem(t):
			return ""
		}
		return "it is changed or handed out by a built-in function"
	}
	fn := w.callee(call)
	if fn == nil {
		return "it is passed to a function value"
	}
	if fn.Pkg() != nil {
		for _, name := range readers[fn.Pkg().Path()] {
			if name == fn.Name() && plainElem(t) {
				return ""
			}
		}
	}
	decl := w.decls[fn]
	if decl == nil || decl.Body == nil {
		return "it is passed to " + fn.FullName() + ", which can't be followed"
	}
	if why := w.intoVar(w.parameter(call, fn, n), seen); why != "" {
		return fmt.Sprintf("in %s %s", fn.Name(), why)
	}
	return ""
}

// parameter returns the variable that gets the nth argument of a call of fn.
func (w *world) parameter(call *ast.CallExpr, fn *types.Func, n int) *types.Var {
	sig := fn.Signature()
	if x, ok := ast.Unparen(call.Fun).(*ast.SelectorExpr); ok {
		if sel := w.info.Selections[x]; sel != nil && sel.Kind() == types.MethodExpr { // T.method(receiver, ...)
			if n == 0 {
				return sig.Recv()
			}
			n--
		}
	}
	if last := sig.Params().Len() - 1; n > last { // variadic
		n = last
	}
	return sig.Params().At(n)
}

// plainElem reports whether the elements behind a slice, map or pointer are
// plain.
func plainElem(t types.Type) bool {
	switch u := t.Underlying().(type) {
	case *types.Slice:
		return plain(u.Elem())
	case *types.Map:
		return plain(u.Key()) && plain(u.Elem())
	case *types.Pointer:
		return plain(u.Elem())
	}
	return false
}

// method judges x.m: calling m, or keeping it bound to x.
func (w *world) method(p *ast.SelectorExpr, sel *types.Selection, seen map[types.Object]bool) string {
	if sel == nil {
		return "it is used in a way that can't be followed"
	}
	fn, ok := origin(sel.Obj()).(*types.Func)
	if !ok {
		return "it is used in a way that can't be followed"
	}
	recv := fn.Signature().Recv()
	if types.IsInterface(recv.Type()) {
		return "" // frozen allowed only copies behind it
	}
	if plain(recv.Type()) {
		return "" // a copy
	}
	decl := w.decls[fn]
	if decl == nil || decl.Body == nil {
		return "its method " + fn.Name() + " may write it"
	}
	if why := w.intoVar(recv, seen); why != "" {
		return fmt.Sprintf("in method %s %s", fn.Name(), why)
	}
	return ""
}
