// Interrupts that reset limits, and a way to make them come.

// The CMOS clock begins: 1024 interrupts a second (MC146818A data sheet, registers A and B).
start_cmos_clock:
    movw $0x260A, %ax // rate 6 of a divider of 32,768 Hz
    callw set_cmos
    movb $0x0B, %al
    outb %al, $0x70
    inb $0x71, %al
    orb $0x40, %al // periodic interrupts
    movb %al, %ah
    movb $0x0B, %al
    callw set_cmos
    inb $0xA1, %al
    andb $0xFE, %al
    outb %al, $0xA1
    retw

// AL = a register of the CMOS clock, AH = what it shall hold.
set_cmos:
    outb %al, $0x70
    xchgb %al, %ah
    outb %al, $0x71
    retw

// Devices, in the order of `counts`.
    .macro device vector, number
    pushfw
    lcallw *%cs:(old\vector - nasty_bios)
    incw %cs:(counts + 2 * \number - nasty_bios)
    callw set_64k_limits_now
    iretw
    .endm
new08:
    device 08, 0
new09:
    device 09, 1
new0E:
    device 0E, 2
new70:
    callw next_device
    device 70, 3
new74:
    pushw %ax
    inb $0x60, %al // the BIOS's handler may leave what it does not know
    popw %ax
    device 74, 4
new76:
    device 76, 5

// Every 16th tick of the CMOS clock it is one device's turn. The loader reads the disk, so all but the
// keyboard wait for the first look for a key, which only the kernel does.
next_device:
    pushw %ax
    pushw %dx
    incw %cs:(turn - nasty_bios)
    movw %cs:(turn - nasty_bios), %ax
    testb $0x0F, %al
    jnz 9f
    shrw $4, %ax
    andb $3, %al
    jz 1f
    cmpb $0, %cs:(looked_for_key - nasty_bios)
    je 9f
    decb %al
    jz 2f
    decb %al
    jz 3f
    movw $0x3F2, %dx // the floppy controller: reset, and ready again
    movb $0x08, %al
    outb %al, %dx
    movb $0x0C, %al
    outb %al, %dx
    jmp 9f
1: movw $0x1ED2, %ax // the key A, as if the keyboard had sent it
    callw command_keyboard
    jmp 9f
2: movw $0x00D3, %ax // a byte, as if the mouse had sent it
    callw command_keyboard
    jmp 9f
3: movw $0x1F7, %dx // the disk: end its last interrupt, CHECK POWER MODE
    inb %dx, %al
    movb $0xE5, %al
    outb %al, %dx
9: popw %dx
    popw %ax
    retw

// AL = a command of the keyboard controller, AH = its data.
command_keyboard:
    pushw %ax
    callw 1f
    popw %ax
    outb %al, $0x64
    movb %ah, %al
    pushw %ax
    callw 1f
    popw %ax
    outb %al, $0x60
    retw
1: inb $0x64, %al
    testb $2, %al // it has not taken the last byte
    jnz 1b
    retw

// The first look for a key: from here on all devices come, and count.
count_from_now:
    cmpb $0, %cs:(irqs_reset_limits - nasty_bios)
    je 1f
    cmpb $0, %cs:(looked_for_key - nasty_bios)
    jne 1f
    pushw %ax
    movw $0x4760, %ax // interrupts of keyboard and mouse
    callw command_keyboard
    popw %ax
    .set at, 0
    .rept {irqs}
    movw $0, %cs:(counts + at - nasty_bios)
    .set at, at + 2
    .endr
    movb $1, %cs:(looked_for_key - nasty_bios)
1: retw

// Sends "irqs" and the counts in hexadecimal digits.
tell_counts:
    pushaw
    movw $(counts - nasty_bios), %si
    movw $0x3F8, %dx
    .irpc letter, irqs
    movb $'\letter', %al
    callw send
    .endr
1: movb $0x20, %al
    callw send
    movw %cs:(%si), %bx
    movw $4, %cx
2: rolw $4, %bx
    movb %bl, %al
    andb $0x0F, %al
    cmpb $10, %al
    jb 3f
    addb $7, %al
3: addb $0x30, %al
    callw send
    loop 2b
    addw $2, %si
    cmpw $(counts + 2 * {irqs} - nasty_bios), %si
    jb 1b
    movb $0x0A, %al
    callw send
    popaw
    retw

// Sends AL on COM1, whose data port DX is, and waits until it has left.
send:
    outb %al, %dx
    addw $5, %dx
1: inb %dx, %al
    testb $0x40, %al // the transmitter is empty
    jz 1b
    subw $5, %dx
    retw

    .purgem device
