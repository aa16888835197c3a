# Stands in for Vivado under tclsh: writes down every command for the port model, and answers from the environment.
# tclsh vivado.tcl build.tcl

proc record {name arguments} {
    puts "\x1e[join [list $name {*}$arguments] \x1f]\x1d"
}

proc last {arguments} {
    return [lindex $arguments end]
}

proc known {arguments names} {
    return [lsearch -all -inline $names [last $arguments]]
}

foreach name {
    set_property add_files update_compile_order create_bd_design create_bd_cell apply_bd_automation
    connect_bd_intf_net connect_bd_net assign_bd_address exclude_bd_addr_seg validate_bd_design save_bd_design
    launch_runs
} {
    proc $name args "record $name \$args"
}
foreach name {
    get_bd_cells get_bd_pins get_bd_intf_pins get_bd_addr_spaces get_files get_runs
} {
    proc $name args "record $name \$args; return \[last \$args]"
}

proc version args { record version $args; return $::env(VIVADO) }
proc current_project args { record current_project $args; return project }
proc current_fileset args { record current_fileset $args; return sources_1 }
proc get_parts args { record get_parts $args; known $args $::env(PARTS) }
proc get_board_parts args { record get_board_parts $args; known $args $::env(BOARDS) }
proc get_ipdefs args { record get_ipdefs $args; known $args $::env(IPS) }
proc get_bd_addr_segs args {
    record get_bd_addr_segs $args
    return [expr {[lindex $args 0] eq "-quiet" ? [known $args $::env(SEGMENTS)] : [last $args]}]
}
proc create_project args {
    record create_project $args
    set ::folder [last $args]
    set ::name [lindex $args end-1]
}
proc make_wrapper args {
    record make_wrapper $args
    return [list wrapper_of [lindex $args [expr {[lsearch $args -files] + 1}]]]
}
proc wait_on_run args {
    record wait_on_run $args
    set made $::folder/$::name
    foreach {path text} [list \
        $made.runs/impl_1/${::name}_wrapper.bit bitstream \
        $made.gen/sources_1/bd/$::name/hw_handoff/$::name.hwh handoff \
    ] {
        file mkdir [file dirname $path]
        close [open $path w]
        set to [open $path w]
        puts $to $text
        close $to
    }
}
proc get_property args {
    record get_property $args
    return [dict get $::env(PROPERTIES) [lindex $args 0]]
}

set script [lindex $argv 0]
source $script
