// The settings, variables and the services' handlers of the BIOS that misbehaves. Addresses are differences
// of labels: the code runs at 0x7000:0, not where the linker puts these bytes. AT&T syntax: source first.

// IN: DL = floppy drive. Loads the handlers and jumps to them.
    .global nasty_bios_boot
nasty_bios_boot:
    xorw %ax, %ax
    movw %ax, %ss
    movw $0x7C00, %sp
    movw $0x7000, %ax
    movw %ax, %es
    xorw %bx, %bx
    movw $(0x0200 + {sectors}), %ax // AH=02h: read
    movw $2, %cx // cylinder 0, sector 2
    movb $0, %dh
    int $0x13
    ljmp $0x7000, $0
    .global nasty_bios_boot_end
nasty_bios_boot_end:

// The handlers: first the settings.
    .global nasty_bios
nasty_bios:
    jmp install
    .org nasty_bios + {settings}
no_extensions: .byte 0
no_geometry: .byte 0
reset_limits: .byte 0
close_a20: .byte 0
irqs_reset_limits: .byte 0
bad_times: .byte 0
bad_status: .byte 0
map_count: .byte 0
bad_lba: .long 0
no_bus_master_ports: .byte 0
square_wave: .byte 0
swallows_new_keys: .byte 0
no_enhanced_keys: .byte 0
map: .space {map_bytes}
old08: .long 0
old09: .long 0
old0E: .long 0
old70: .long 0
old74: .long 0
old76: .long 0
old10: .long 0
old13: .long 0
old15: .long 0
old16: .long 0
old_sp: .word 0
old_ss: .word 0
counts: .space 2 * {irqs}
looked_for_key: .byte 0
turn: .word 0

// Puts the handlers into the vector table and boots the first hard disk.
install:
    cli
    xorw %ax, %ax
    movw %ax, %ds
    .macro hook vector
    movl 0x\vector * 4, %eax
    movl %eax, %cs:(old\vector - nasty_bios)
    movl $(0x70000000 + new\vector - nasty_bios), 0x\vector * 4 // segment 0x7000, offset
    .endm
    cmpb $0, %cs:(irqs_reset_limits - nasty_bios)
    je 1f
    hook 08
    hook 09
    hook 0E
    hook 70
    hook 74
    hook 76
    callw start_cmos_clock
1: hook 10
    hook 13
    hook 15
    hook 16
    cmpb $0, %cs:(no_bus_master_ports - nasty_bios)
    je 1f
    movl $0x80000920, %eax // bus 0, device 1, function 1, register 20h
    movw $0xCF8, %dx
    outl %eax, %dx
    xorl %eax, %eax
    movw $0xCFC, %dx
    outl %eax, %dx
1: cmpb $0, %cs:(square_wave - nasty_bios)
    je 1f
    movb $0x36, %al // counter 0, both bytes, mode 3
    outb %al, $0x43
    movb $0, %al
    outb %al, $0x40
    outb %al, $0x40
1: cmpb $0, %cs:(no_enhanced_keys - nasty_bios)
    je 1f
    andb $0xEF, 0x496 // no 101-key keyboard
1: sti
    xorw %ax, %ax
    movw %ax, %es
    movw $0x7C00, %bx
    movw $0x0201, %ax
    movw $1, %cx
    movw $0x0080, %dx // head 0, the first hard disk
    int $0x13
    cmpb $0, %cs:(close_a20 - nasty_bios)
    je 1f
    inb $0x92, %al
    andb $0xFC, %al // A20 off; bit 0 would reset the machine
    outb %al, $0x92
1: movw $0x0080, %dx
    ljmp $0, $0x7C00

// The end of every handler. The flags go to the caller, as the BIOS gives its carry flag.
    .macro finish
    pushfw
    callw set_64k_limits
    popfw
    sti
    lretw $2
    .endm
new10:
    pushfw
    lcallw *%cs:(old10 - nasty_bios)
    finish
// INT 16h.
new16:
    callw count_from_now
    cmpb $0x10, %ah
    jb 1f
    cmpb $0, %cs:(no_enhanced_keys - nasty_bios)
    je pass16
    cmpb $0xFF, %ah // nothing is done, and ZF says that a key waits
    finish
1: cmpb $1, %ah
    ja pass16
    cmpb $0, %cs:(swallows_new_keys - nasty_bios)
    je pass16
    pushw %bx
    movb %ah, %bh
look16:
    movb $1, %ah
    pushfw
    lcallw *%cs:(old16 - nasty_bios)
    jz nothing16
    cmpb $0x84, %ah
    ja swallow16
    movb %bh, %ah
    popw %bx
pass16:
    pushfw
    lcallw *%cs:(old16 - nasty_bios)
    finish
swallow16:
    movb $0, %ah
    pushfw
    lcallw *%cs:(old16 - nasty_bios)
    jmp look16
nothing16:
    testb %bh, %bh
    jnz 1f
    sti
    hlt
    jmp look16
1: popw %bx
    cmpb %al, %al // ZF
    finish

// INT 13h.
new13:
    cmpb $0, %cs:(no_extensions - nasty_bios)
    je 2f
    cmpb $0x41, %ah
    je no_function
    cmpb $0x42, %ah
    je no_function
    cmpb $0x48, %ah
    je no_function
2: cmpb $0, %cs:(no_geometry - nasty_bios)
    je 8f
    cmpb $0x08, %ah
    je no_function
8: cmpb $0x42, %ah
    jne pass13
    cmpb $0, %cs:(bad_times - nasty_bios)
    je pass13
   // Does the packet at DS:SI (count at 2, LBA at 8) touch the bad sector?
    pushl %eax
    pushl %ebx
    movl %cs:(bad_lba - nasty_bios), %eax
    subl 8(%si), %eax
    movzwl 2(%si), %ebx
    cmpl %ebx, %eax // unsigned: a sector before the packet is far above its count
    popl %ebx
    popl %eax
    jae pass13
    cmpb $0xFF, %cs:(bad_times - nasty_bios)
    je 3f
    decb %cs:(bad_times - nasty_bios)
3: movw $0, 2(%si) // sectors that were read
    movb %cs:(bad_status - nasty_bios), %ah
    stc
    finish
no_function:
    movb $1, %ah // invalid function
    stc
    finish
pass13:
    pushfw
    lcallw *%cs:(old13 - nasty_bios)
    finish

// INT 15h: AX=E820h from the map, AX=5307h after the counts, the rest from the BIOS.
new15:
    cmpw $0x5307, %ax // APM: switch off
    jne 5f
    cmpb $0, %cs:(irqs_reset_limits - nasty_bios)
    je pass15
    callw tell_counts
    jmp pass15
5: cmpw $0xE820, %ax
    jne pass15
    cmpb $0, %cs:(map_count - nasty_bios)
    je pass15
    pushw %si
    pushw %di
    pushw %ds
    pushw %cs
    popw %ds
    imulw $20, %bx, %si
    addw $(map - nasty_bios), %si
    movw $20, %cx
    cld
    rep movsb
    popw %ds
    popw %di
    popw %si
    incl %ebx
    cmpb %cs:(map_count - nasty_bios), %bl
    jb 4f
    xorl %ebx, %ebx
4: movl $20, %ecx
    movl $0x534D4150, %eax // SMAP
    clc
    finish
pass15:
    pushfw
    lcallw *%cs:(old15 - nasty_bios)
    finish

// A detour through protected mode that leaves 64 KB limits behind, where that is wanted. It
// changes nothing else but flags.
set_64k_limits:
    cmpb $0, %cs:(reset_limits - nasty_bios)
    jne 5f
    retw
5: cli
set_64k_limits_now: // interrupts are off
    pushl %eax
    pushw %ds
    pushw %es
    pushw %fs
    pushw %gs
    movw %sp, %cs:(old_sp - nasty_bios)
    movw %ss, %cs:(old_ss - nasty_bios)
    lgdtl %cs:(gdt_pointer - nasty_bios)
    movl %cr0, %eax
    orb $1, %al
    movl %eax, %cr0
    jmp 6f
6: movw $8, %ax
    movw %ax, %ds
    movw %ax, %es
    movw %ax, %fs
    movw %ax, %gs
    movw %ax, %ss
    movl %cr0, %eax
    andb $0xFE, %al
    movl %eax, %cr0
    // The segments again; the limits stay.
    movw %cs:(old_ss - nasty_bios), %ss
    movw %cs:(old_sp - nasty_bios), %sp
    popw %gs
    popw %fs
    popw %es
    popw %ds
    popl %eax
    retw
gdt: .quad 0
    .quad 0x000092000000FFFF // data, base 0, limit 64 KB
gdt_pointer: .word 15
    .long 0x70000 + gdt - nasty_bios

    .purgem hook
    .purgem finish
