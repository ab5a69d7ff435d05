package check

import (
	"fmt"
	"go/ast"
	"go/token"
	"go/types"
	"path"
	"slices"
	"strings"
)

// stateRule is where the reader of a finding looks the rule up.
const stateRule = `ARCHITECTURE.md, "Global state"`

// StateRooms are where state belongs to an instance, not to a package.
var StateRooms = []string{"kern/...", "inst/...", "fs/...", "net/..."}

// A Reason is one row of the table of global state that is meant to be.
type Reason struct {
	Name string // package path in the module, dot, variable
	Why  string
}

// State reports package variables in the state rooms that can change and that
// reasons does not list, and rows of reasons that are needed no longer.
//
// A variable needs no reason if it is one of
//
//   - a slot: its type is inst.Slot or proc.Slot, and nothing assigns to it again;
//   - an error value: made by errors.New or fmt.Errorf or from a constant
//     error number, and never assigned to;
//   - an immutable table: a composite literal that all code of the module,
//     tests aside, only reads (readonly.go);
//   - blank, for the compiler to check an assertion.
func State(t *Tree, exp *Exports, reasons []Reason) ([]Finding, error) {
	inRoom := func(dir string) bool { return matchAny(StateRooms, dir) }
	ws, unseen, err := worlds(t, exp, inRoom)
	if err != nil {
		return nil, err
	}
	var out []Finding
	for _, f := range unseen {
		if inRoom(f.Dir) {
			out = append(out, Finding{f.Path, "no build of mult compiles this file, so nothing checks it; " + stateRule})
		}
	}
	excused := map[string]bool{}
	for _, r := range reasons {
		if excused[r.Name] {
			out = append(out, Finding{"ARCHITECTURE.md", r.Name + " is listed twice"})
		}
		excused[r.Name] = true
		if len(strings.Fields(r.Why)) < 3 {
			out = append(out, Finding{"ARCHITECTURE.md", r.Name + " is listed without a reason"})
		}
	}
	needed := map[string]bool{}
	for _, w := range ws {
		out = append(out, w.errs...)
		for _, f := range t.Files {
			if !inRoom(f.Dir) || !slices.Contains(w.files[f.Dir], f.AST) {
				continue
			}
			for _, v := range w.packageVars(f) {
				why := w.judge(v)
				if why == "" {
					continue
				}
				needed[v.name] = true
				if !excused[v.name] {
					out = append(out, Finding{t.pos(v.id.Pos()), fmt.Sprintf(
						"%s is mutable package state: %s. Make it part of a member of the instance, or list it with its reason; %s",
						v.name, why, stateRule)})
				}
			}
		}
	}
	for _, r := range reasons {
		if !needed[r.Name] {
			out = append(out, Finding{"ARCHITECTURE.md", fmt.Sprintf(
				"%s is listed as global state, but no such variable needs a reason (any more)", r.Name)})
		}
	}
	return unique(out), nil
}

// unique drops what a second kind of build repeats.
func unique(list []Finding) []Finding {
	seen := map[Finding]bool{}
	return slices.DeleteFunc(list, func(f Finding) bool {
		was := seen[f]
		seen[f] = true
		return was
	})
}

// Reasons parses the table under the heading "## Global state": rows of a
// name in backquotes and a reason. Text around the table is ignored.
func Reasons(markdown string) ([]Reason, error) {
	const heading = "## Global state"
	var list []Reason
	found, inside := false, false
	for line := range strings.Lines(markdown) {
		line = strings.TrimSpace(line)
		if strings.HasPrefix(line, "# ") || strings.HasPrefix(line, "## ") {
			inside = line == heading
			found = found || inside
			continue
		}
		if !inside || !strings.HasPrefix(line, "| `") {
			continue
		}
		cell := strings.Split(strings.Trim(line, "|"), "|")
		if len(cell) != 2 {
			return nil, fmt.Errorf("global state: want two columns in %q", line)
		}
		list = append(list, Reason{strings.Trim(cell[0], " `"), strings.TrimSpace(cell[1])})
	}
	if !found {
		return nil, fmt.Errorf("no heading %q", heading)
	}
	return list, nil
}

// A packageVar is one name of a var declaration outside functions.
type packageVar struct {
	name string // as in a Reason
	id   *ast.Ident
	init ast.Expr // nil without one, or when one call sets several names
	spec *ast.ValueSpec
}

func (w *world) packageVars(f *File) []packageVar {
	var list []packageVar
	for _, d := range f.AST.Decls {
		g, ok := d.(*ast.GenDecl)
		if !ok || g.Tok != token.VAR {
			continue
		}
		for _, s := range g.Specs {
			spec := s.(*ast.ValueSpec)
			for i, id := range spec.Names {
				v := packageVar{name: f.Dir + "." + id.Name, id: id, spec: spec}
				if len(spec.Values) == len(spec.Names) {
					v.init = spec.Values[i]
				}
				list = append(list, v)
			}
		}
	}
	return list
}

// judge says why a package variable is mutable state, or nothing if it isn't.
func (w *world) judge(v packageVar) string {
	if v.id.Name == "_" {
		return w.judgeBlank(v)
	}
	obj, ok := w.info.Defs[v.id].(*types.Var)
	switch {
	case !ok:
		return "its type is unknown"
	case w.isSlot(obj.Type()):
		if v.init != nil && !w.isCallTo(v.init, w.t.Module+"/inst", "NewSlot") &&
			!w.isCallTo(v.init, w.t.Module+"/kern/proc", "NewSlot") {
			return "a slot is made by NewSlot"
		}
		if _, pointer := obj.Type().(*types.Pointer); pointer && v.init == nil {
			return "a slot is made by NewSlot"
		}
		return w.rebound(obj)
	case v.init == nil && len(v.spec.Values) > 0:
		return "it is set by a call that sets several variables"
	case v.init == nil:
		return "it has no initial value, so it is there to be written (a table of zeros is written as a literal)"
	case w.isErrorValue(obj, v.init):
		return w.rebound(obj)
	}
	switch {
	case w.info.Types[v.init].Value != nil:
		return "what never changes is written as a constant"
	case !w.isLiteral(v.init):
		return "it is neither a slot, nor an error value, nor a table written as a literal"
	}
	if why := w.frozen(v.init, obj.Type()); why != "" {
		return why
	}
	return w.written(obj)
}

// isLiteral reports whether x spells a table out: T{...}, &T{...}, either in a
// conversion, or []byte("...").
func (w *world) isLiteral(x ast.Expr) bool {
	x = ast.Unparen(x)
	if call, ok := x.(*ast.CallExpr); ok && len(call.Args) == 1 && w.info.Types[call.Fun].IsType() {
		x = ast.Unparen(call.Args[0])
	}
	if u, ok := x.(*ast.UnaryExpr); ok && u.Op == token.AND {
		x = ast.Unparen(u.X)
	}
	_, ok := x.(*ast.CompositeLit)
	return ok || w.info.Types[x].Value != nil
}

// judgeBlank accepts what the compiler checks and forgets, and rejects a call
// that hides work in a declaration.
func (w *world) judgeBlank(v packageVar) string {
	why := ""
	for _, x := range v.spec.Values {
		ast.Inspect(x, func(n ast.Node) bool {
			if call, ok := n.(*ast.CallExpr); ok {
				tv := w.info.Types[call.Fun]
				if !tv.IsType() && !tv.IsBuiltin() {
					why = "a blank variable hides a call"
				}
			}
			_, lit := n.(*ast.FuncLit)
			return !lit
		})
	}
	return why
}

// isSlot reports whether t is inst.Slot[T], proc.Slot[T] or a pointer to one.
func (w *world) isSlot(t types.Type) bool {
	if p, ok := t.(*types.Pointer); ok {
		t = p.Elem()
	}
	named, ok := types.Unalias(t).(*types.Named)
	if !ok || named.Obj().Pkg() == nil {
		return false
	}
	pkg := named.Obj().Pkg().Path()
	return named.Obj().Name() == "Slot" && (pkg == w.t.Module+"/inst" || pkg == w.t.Module+"/kern/proc")
}

// isErrorValue reports whether obj is an error that its initial value fixes.
func (w *world) isErrorValue(obj *types.Var, init ast.Expr) bool {
	if !isError(obj.Type()) {
		return false
	}
	tv := w.info.Types[init]
	return tv.Value != nil && isError(tv.Type) || // such as errno.EPERM
		w.isCallTo(init, "errors", "New") || w.isCallTo(init, "fmt", "Errorf")
}

var errorType = types.Universe.Lookup("error").Type().Underlying().(*types.Interface)

func isError(t types.Type) bool { return types.Implements(t, errorType) }

// isCallTo reports whether x calls the function pkg.name.
func (w *world) isCallTo(x ast.Expr, pkg, name string) bool {
	call, ok := ast.Unparen(x).(*ast.CallExpr)
	if !ok {
		return false
	}
	fn := w.callee(call)
	return fn != nil && fn.Pkg() != nil && fn.Pkg().Path() == pkg && fn.Name() == name
}

// callee returns the function that a call names, nil if it calls a value.
func (w *world) callee(call *ast.CallExpr) *types.Func {
	fun := ast.Unparen(call.Fun)
	switch x := fun.(type) { // explicit type arguments
	case *ast.IndexExpr:
		fun = x.X
	case *ast.IndexListExpr:
		fun = x.X
	}
	var id *ast.Ident
	switch x := fun.(type) {
	case *ast.Ident:
		id = x
	case *ast.SelectorExpr:
		id = x.Sel
	default:
		return nil
	}
	fn, _ := origin(w.info.Uses[id]).(*types.Func)
	return fn
}

// frozen says why a value written in a table's literal could change later
// without the table being written, or nothing if it can't. target is the type
// of the place it is kept in.
func (w *world) frozen(x ast.Expr, target types.Type) string {
	x = ast.Unparen(x)
	tv := w.info.Types[x]
	if tv.Value != nil || tv.IsNil() {
		return ""
	}
	if tv.Type == nil {
		return fmt.Sprintf("%s: type unknown", types.ExprString(x))
	}
	// What an interface holds is read without a trace of its type, so it
	// must not lead to anything that can be written.
	if target != nil && types.IsInterface(target) && !types.IsInterface(tv.Type) && !plain(tv.Type) {
		return fmt.Sprintf("%s keeps something that can be written behind an interface", types.ExprString(x))
	}
	switch x := x.(type) {
	case *ast.CompositeLit:
		return w.frozenLit(x, tv.Type)
	case *ast.FuncLit:
		return ""
	case *ast.UnaryExpr:
		if lit, ok := ast.Unparen(x.X).(*ast.CompositeLit); ok && x.Op == token.AND {
			return w.frozen(lit, nil)
		}
	case *ast.Ident:
		if _, ok := w.info.Uses[x].(*types.Func); ok {
			return ""
		}
	case *ast.SelectorExpr:
		_, isFunc := w.info.Uses[x.Sel].(*types.Func)
		if sel := w.info.Selections[x]; isFunc && (sel == nil || sel.Kind() == types.MethodExpr) {
			return ""
		} else if isFunc {
			return fmt.Sprintf("%s is bound to a receiver", types.ExprString(x))
		}
	case *ast.CallExpr:
		if w.info.Types[x.Fun].IsType() && len(x.Args) == 1 {
			return w.frozen(x.Args[0], tv.Type)
		}
		if w.isCallTo(x, "errors", "New") || w.isCallTo(x, "fmt", "Errorf") {
			return ""
		}
		if _, basic := tv.Type.Underlying().(*types.Basic); !basic && !fixed(tv.Type) {
			return fmt.Sprintf("%s is what a call returned", types.ExprString(x))
		}
	}
	if plain(tv.Type) {
		return "" // a copy
	}
	return fmt.Sprintf("%s leads to something that can be written", types.ExprString(x))
}

func (w *world) frozenLit(lit *ast.CompositeLit, t types.Type) string {
	if p, ok := t.Underlying().(*types.Pointer); ok { // &T left out in []*T{{...}}
		t = p.Elem()
	}
	var key, elem types.Type
	var fields *types.Struct
	switch u := t.Underlying().(type) {
	case *types.Array:
		elem = u.Elem()
	case *types.Slice:
		elem = u.Elem()
	case *types.Map:
		key, elem = u.Key(), u.Elem()
	case *types.Struct:
		fields = u
	}
	for i, x := range lit.Elts {
		target := elem
		if fields != nil && i < fields.NumFields() {
			target = fields.Field(i).Type()
		}
		if kv, ok := x.(*ast.KeyValueExpr); ok {
			x = kv.Value
			if fields != nil {
				target = w.info.TypeOf(kv.Key)
				if id, ok := kv.Key.(*ast.Ident); ok && w.info.Uses[id] != nil {
					target = w.info.Uses[id].Type()
				}
			} else if key != nil {
				if why := w.frozen(kv.Key, key); why != "" {
					return why
				}
			}
		}
		if why := w.frozen(x, target); why != "" {
			return why
		}
	}
	return ""
}

// fixedTypes of the standard library hold a pointer but never change.
var fixedTypes = []string{"time.Time", "net/netip.Addr", "net/netip.AddrPort", "net/netip.Prefix"}

func fixed(t types.Type) bool {
	named, ok := types.Unalias(t).(*types.Named)
	if !ok || named.Obj().Pkg() == nil {
		return false
	}
	p := named.Obj().Pkg().Path()
	return slices.Contains(fixedTypes, path.Join(path.Dir(p), path.Base(p)+"."+named.Obj().Name()))
}

// plain reports whether a copy of a t shares nothing writable with the
// original. Interfaces count as plain: frozen has seen what is in them.
func plain(t types.Type) bool {
	if fixed(t) {
		return true
	}
	if _, param := types.Unalias(t).(*types.TypeParam); param {
		return false
	}
	switch u := t.Underlying().(type) {
	case *types.Basic:
		return u.Kind() != types.UnsafePointer && u.Kind() != types.Invalid
	case *types.Signature, *types.Interface:
		return true
	case *types.Array:
		return plain(u.Elem())
	case *types.Struct:
		for f := range u.Fields() {
			if !plain(f.Type()) {
				return false
			}
		}
		return true
	}
	return false
}
